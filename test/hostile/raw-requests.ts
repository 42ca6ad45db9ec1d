/** This file owns what a socket can say that is no proper request: malformed, smuggled, huge, slow, broken off. */
import { Random } from './random.ts';

export interface RawCase {
  name: string;
  /** Sent one after the other, `everyMs` apart. */
  pieces: readonly (string | Buffer)[];
  everyMs?: number;
  /** What is done when all is sent; default: wait for the server. */
  ending?: 'wait' | 'finish' | 'reset';
  /** It is legal, and each of so many requests is answered. */
  served?: number;
}

/** The id of the request hidden in another: an answer that bears it has been smuggled. */
export const SMUGGLED = 'smuggled-request';

const HOST = 'Host: 127.0.0.1';
const LIVEZ = `GET /livez HTTP/1.1\r\n${HOST}\r\n`;

/** Every case; `key` opens everything, so that nothing is refused for want of one. */
export function rawCases(key: string): RawCase[] {
  const auth = `X-DreamFactory-API-Key: ${key}`;
  const hidden = `GET /api/v2/redis/held HTTP/1.1\r\n${HOST}\r\n${auth}\r\nX-Request-Id: ${SMUGGLED}\r\n\r\n`;
  const post = (headers: readonly string[], body: string) =>
    `POST /api/v2/redis HTTP/1.1\r\n${[HOST, auth, 'Content-Type: application/json', ...headers].join('\r\n')}\r\n\r\n${body}`;
  const whole = (name: string, text: string | Buffer, more: Partial<RawCase> = {}): RawCase => ({
    name,
    pieces: [text],
    ...more,
  });
  return [
    ...requestLines.map((line) => whole(`request line ${show(line)}`, `${line}\r\n${HOST}\r\n\r\n`)),
    ...headerLines.map((line) => whole(`header ${show(line)}`, `${LIVEZ}${line}\r\n\r\n`)),
    ...hosts.map((line) => whole(`host ${show(line)}`, `GET /livez HTTP/1.1\r\n${line}\r\n\r\n`)),
    ...lengths.map((length) =>
      whole(`length ${show(length)}`, post([`Content-Length: ${length}`], hidden), { ending: 'finish' }),
    ),
    ...encodings.flatMap((encoding) => [
      whole(
        `encoding ${show(encoding)}`,
        // Behind a body that is chunked indeed stands a request of its own (RFC 9112 §9.3.2): nothing is hidden there.
        post([`Transfer-Encoding: ${encoding}`], `0\r\n\r\n${/^chunked$/i.test(encoding) ? '' : hidden}`),
        { ending: 'finish' },
      ),
      whole(
        `encoding ${show(encoding)} with a length`,
        post([`Transfer-Encoding: ${encoding}`, 'Content-Length: 5'], `0\r\n\r\n${hidden}`),
      ),
      whole(
        `a length with encoding ${show(encoding)}`,
        post(['Content-Length: 6', `Transfer-Encoding: ${encoding}`], `0\r\n\r\n${hidden}`),
      ),
    ]),
    ...chunks.map((chunk) => whole(`chunk ${show(chunk)}`, post(['Transfer-Encoding: chunked'], chunk))),
    ...[17, 64, 1_024].flatMap((kib) => [
      whole(`${kib} KiB of one header`, `${LIVEZ}X: ${'x'.repeat(kib * 1_024)}\r\n\r\n`),
      whole(`${kib} KiB of headers`, `${LIVEZ}${'X: 1234567\r\n'.repeat(Math.ceil((kib * 1_024) / 12))}\r\n`),
      whole(`${kib} KiB of path`, `GET /${'x'.repeat(kib * 1_024)} HTTP/1.1\r\n${HOST}\r\n\r\n`),
    ]),
    ...noise(40),
    ...brokenOff(post, auth),
    ...slow(post),
    ...pipelines(hidden, auth),
  ];
}

const controls = ['\0', '\x01', '\x0b', '\x7f', '\r', '\u00ff'];
const requestLines = [
  ...['', ' ', 'GET', 'GET /livez', 'GET  /livez HTTP/1.1', 'get /livez HTTP/1.1', 'GET /livez HTTP/9.9'],
  ...['GET /livez HTTP/1.1 extra', 'GET /livez http/1.1', 'GET /livez HTTP/1', 'GET livez HTTP/1.1'],
  ...['CONNECT 127.0.0.1:6379 HTTP/1.1', 'PRI * HTTP/2.0', 'OPTIONS * HTTP/1.1', 'TRACE /livez HTTP/1.1'],
  ...[
    'GET http://127.0.0.1:6379/ HTTP/1.1',
    'GET //evil/livez HTTP/1.1',
    'GET \\livez HTTP/1.1',
    'BREW / HTTP/1.1',
  ],
  ...[
    'SET key value',
    'FLUSHALL',
    '*1\r\n$4\r\nPING',
    'EHLO example.com',
    'GET /%zz HTTP/1.1',
    'GET /?%zz HTTP/1.1',
  ],
  ...controls.flatMap((control) => [
    `GET /li${control}vez HTTP/1.1`,
    `G${control}ET /livez HTTP/1.1`,
    `GET /livez HTTP/1.1${control}`,
  ]),
];
const headerLines = [
  ...[
    'no colon',
    ': no name',
    ' : space',
    'Name : space',
    ' folded: a',
    'A: b\r\n c',
    'A: b\r\n\tc',
    '\tA: b',
  ],
  ...'()<>@,;\\"/[]?={}'.split('').map((character) => `Na${character}me: a`),
  ...controls.flatMap((control) => [`Na${control}me: a`, `Name: a${control}b`]),
  ...[
    'Connection: upgrade\r\nUpgrade: h2c',
    'Upgrade: websocket\r\nConnection: Upgrade',
    'Expect: 200-maybe',
  ],
  ...['X-Request-Id: a\nb: c', 'X-Forwarded-For: \0', 'Content-Type: application/json; charset=\0'],
];
const hosts = [
  ...[
    'X: no host',
    'Host:',
    'Host: a\r\nHost: b',
    'Host: a b',
    'Host: a/b',
    'Host: a\\b',
    'Host: a@b"',
    'Host: <a>',
  ],
  ...[
    'Host: a?b',
    'Host: a#b',
    'Host: {a}',
    'Host: é',
    'Host: a\tb',
    `Host: ${'a'.repeat(15_000)}`,
    'Host: a^b',
    'Host: `a`',
  ],
];
const lengths = [
  ...[
    '+5',
    '-1',
    '5 5',
    '5,5',
    '0x5',
    '5\0',
    '1e1',
    '5.0',
    ' ',
    '',
    '５',
    '18446744073709551616',
    '9'.repeat(400),
  ],
  ...[
    '5\r\nContent-Length: 6',
    '6\r\nContent-Length: 5',
    '0\r\nContent-Length: 0x0',
    '-0',
    '5;',
    '"5"',
    '5\x0b',
  ],
];
const encodings = [
  ...['chunked', 'Chunked', 'chunked, chunked', 'chunked, identity', 'identity', 'identity, chunked', 'gzip'],
  ...[
    'xchunked',
    'chunkedx',
    '\x0bchunked',
    'chunked\x0b',
    '"chunked"',
    'chun\0ked',
    'chunked;q=1',
    'c hunked',
  ],
  ...[
    'chunked\r\nTransfer-Encoding: identity',
    'identity\r\nTransfer-Encoding: chunked',
    ', chunked',
    'chunked,',
    '',
  ],
];
const chunks = [
  ...[
    'g\r\n',
    '-1\r\nx\r\n',
    '0x5\r\nhello\r\n',
    `${'F'.repeat(17)}\r\n`,
    'FFFFFFFFFFFFFFFF\r\n',
    ' 5\r\nhello\r\n',
  ],
  ...[
    '5 \r\nhello\r\n0\r\n\r\n',
    '5\nhello\n0\n\n',
    '5\r\nhello0\r\n\r\n',
    '5\r\nhellohello\r\n',
    '\r\n\r\n',
    '5;\0\r\nhello\r\n',
  ],
  ...[
    `5;${'x'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`,
    '0\r\nTransfer-Encoding: chunked\r\n\r\n',
    `0\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
  ],
  ...[
    '1\r\n{\r\n1\r\n}\r\n0\r\n\r\n',
    '2;a=b\r\n{}\r\n0\r\n\r\n',
    '0\r\nContent-Length: 5\r\n\r\n',
    '5\r\nhe\0lo\r\n0\r\n\r\n',
  ],
];

function noise(count: number): RawCase[] {
  const random = new Random(1);
  return Array.from({ length: count }, (_, at) => {
    const bytes = Buffer.from(Array.from({ length: random.integer(1, 2_000) }, () => random.integer(0, 255)));
    return { name: `noise ${at}`, pieces: [bytes], ending: 'finish' };
  });
}

function brokenOff(post: (headers: readonly string[], body: string) => string, auth: string): RawCase[] {
  const item = '{"key":"broken","value":1}';
  const request = post([`Content-Length: ${item.length}`], item);
  const at = [1, 5, 20, 60, request.length - 20, request.length - 1];
  const ends = ['finish', 'reset'] as const;
  return [
    ...at.flatMap((length) =>
      ends.map(
        (ending): RawCase => ({
          name: `${ending} after ${length} bytes`,
          pieces: [request.slice(0, length)],
          ending,
        }),
      ),
    ),
    ...ends.map((ending): RawCase => ({ name: `nothing, then ${ending}`, pieces: [''], ending })),
    {
      name: 'a stream that is left',
      pieces: [`GET /api/v2/channels/held HTTP/1.1\r\n${HOST}\r\n${auth}\r\n\r\n`],
      ending: 'reset',
    },
    { name: 'half closed behind a request', pieces: [`${LIVEZ}\r\n`], ending: 'finish', served: 1 },
  ];
}

/** A byte at a time, or nothing at all: held for the timeouts, all at once. */
function slow(post: (headers: readonly string[], body: string) => string): RawCase[] {
  const bytes = `${LIVEZ}X-Slow: ${'x'.repeat(200)}`.split('');
  const headers = Array.from({ length: 30 }, (_, at): RawCase => {
    const from = at % 10;
    return {
      name: `slow headers ${at}`,
      pieces: [bytes.slice(0, from).join(''), ...bytes.slice(from)],
      everyMs: 250,
    };
  });
  return [
    ...headers,
    ...Array.from({ length: 5 }, (_, at): RawCase => ({ name: `half a header ${at}`, pieces: [LIVEZ] })),
    ...Array.from(
      { length: 5 },
      (_, at): RawCase => ({
        name: `a body that never comes ${at}`,
        pieces: [post(['Content-Length: 1000'], '{')],
      }),
    ),
  ];
}

function pipelines(hidden: string, auth: string): RawCase[] {
  const many = (count: number) => `${LIVEZ}\r\n`.repeat(count);
  return [
    ...[2, 10, 100].map(
      (count): RawCase => ({ name: `${count} in a row`, pieces: [many(count)], served: count }),
    ),
    { name: 'ten in a row, then nonsense', pieces: [`${many(10)}nonsense\r\n\r\n`] },
    {
      name: 'a body where none belongs',
      pieces: [`${LIVEZ}Content-Length: ${hidden.length}\r\n\r\n${hidden}`],
    },
    {
      name: 'asks to go on, and does not',
      pieces: [
        `POST /api/v2/redis HTTP/1.1\r\n${HOST}\r\n${auth}\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n`,
      ],
      ending: 'finish',
    },
  ];
}

function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 40)}…` : text);
}
