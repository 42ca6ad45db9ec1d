/** This file owns names that broke other systems: ids that look like a store's own keys, like paths, like nothing. */

export const POISON_IDS: readonly string[] = [
  ...'meta wait active paused prioritized delayed waiting-children completed failed stalled stalled-check'.split(
    ' ',
  ),
  ...'id limiter repeat events pc marker de dn metrics 0 0:1 1 42 -1 007 metrics:completed'.split(' '),
  ...'metrics:completed:data metrics:failed:data repeat:x:1 de:a:b a:b:lock x:y:logs : a: :a a:b a:b:c'.split(
    ' ',
  ),
  ...'a:b:c:d {x} }{ {} { } * ? [a] [^a] \\ \\\\ .. . / // %2f %252f %00 %zz'.split(' '),
  '\0',
  '\n',
  '\r\n',
  '\t',
  ' ',
  '""',
  "'",
  '',
  ...'1e9 __proto__ constructor prototype toString hasOwnProperty valueOf null undefined true NaN'.split(' '),
  'é',
  'e\u0301',
  '\u202e',
  '\ufeff',
  '😀',
  'a'.repeat(512),
  'a'.repeat(513),
];

/** No text of UTF-8 can hold them; JSON can. */
export const HALF_SURROGATES: readonly string[] = ['\ud800', '\udfff', 'a\ud83d'];

/** What is sent where a text is wanted. */
export const OTHER_TYPES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  4.5,
  [],
  ['a'],
  {},
  { a: 1 },
];
