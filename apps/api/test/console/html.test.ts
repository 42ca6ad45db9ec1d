import { expect, test } from 'vitest';
import { Html, html } from '../../src/console/html.ts';

test.for([
  ['<img src=x onerror=alert(1)>', '&lt;img src=x onerror=alert(1)&gt;'],
  ['"><script>alert(1)</script>', '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;'],
  ["' onclick='alert(1)", '&#39; onclick=&#39;alert(1)'],
  ['&amp;', '&amp;amp;'],
  ['\u202eevil\u0000\u001b[31m\u200b', '\\u202eevil\\u0000\\u001b[31m\\u200b'],
  ['\ud800', '\\ud800'],
  ['grün 🔑\n\t', 'grün 🔑\n\t'],
] as const)('text stays text: %j', ([text, shown]) => {
  expect(html`<a title="${text}">${text}</a>`.toString()).toBe(`<a title="${shown}">${shown}</a>`);
});

test('lists are joined, what is absent is nothing, markup of ours stays markup', () => {
  const rows = ['<a>', 1, 0, null, undefined, false as const, html`<b>${'&'}</b>`];

  expect(html`${rows}${[['x'], html`<i></i>`]}`.toString()).toBe('&lt;a&gt;10<b>&amp;</b>x<i></i>');
});

test('nobody makes markup but the tag', () => {
  expect(() => new Html('<b>', Symbol('html') as never)).toThrow(TypeError);
  expect(html`${{ toString: () => '<b>' } as never}`.toString()).toBe('&lt;b&gt;');
});
