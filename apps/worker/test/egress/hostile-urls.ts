/** This file owns the corpus of URLs that must never make a connection: every way known to us to say a forbidden address. */
import ipaddr from 'ipaddr.js';

/** One or more of each range that is not the open Internet (IANA special-purpose registries), and clouds' metadata. */
const FORBIDDEN_IPV4 = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.254',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.254',
  '127.0.0.1',
  '127.1.2.3',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.0.1',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.1',
  '172.31.255.254',
  '192.0.0.1',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '192.168.255.254',
  '198.18.0.1',
  '198.19.255.254',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
];

const FORBIDDEN_IPV6 = [
  '::',
  '::1',
  '0:0:0:0:0:0:0:1',
  '::ffff:0:127.0.0.1',
  '100::1',
  '64:ff9b:1::1',
  '2001::1',
  '2001:0:7f00:1::1',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2001:db8::1',
  '2002:a00:1::1',
  '3fff::1',
  '4000::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fd12:3456:789a::1',
  'fe80::1',
  'fe80::a9fe:a9fe',
  'fec0::1',
  'ff02::1',
  'ff0e::1',
];

function spellings(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  const number = ((a * 256 + b) * 256 + c) * 256 + d;
  const hex = (value: number) => value.toString(16);
  const [high, low] = [hex(a * 256 + b), hex(c * 256 + d)];
  return [
    address,
    `${address}.`,
    String(number),
    `0x${hex(number)}`,
    `0${number.toString(8)}`,
    [a, b, c, d].map((part) => `0x${hex(part)}`).join('.'),
    [a, b, c, d].map((part) => `0${part.toString(8)}`).join('.'),
    `${a}.${b}.${c * 256 + d}`,
    `${a}.${(b * 256 + c) * 256 + d}`,
    [...address].map((character) => (character === '.' ? '。' : character)).join(''),
    [...address]
      .map((digit) => (/[1-9]/.test(digit) ? String.fromCodePoint(0x245f + Number(digit)) : digit))
      .join(''),
    [...address].map((character) => `%${hex(character.charCodeAt(0))}`).join(''),
    `[::ffff:${address}]`,
    `[::ffff:${high}:${low}]`,
    `[::${address}]`,
    `[64:ff9b::${high}:${low}]`,
    `[64:ff9b:1::${high}:${low}]`,
    `[2002:${high}:${low}::1]`,
    `[::ffff:0:${high}:${low}]`,
  ];
}

/** `port` is that of a listener which counts; every URL that can has it. */
export function hostileAddresses(port: number): string[] {
  const hosts = [
    ...FORBIDDEN_IPV4.flatMap(spellings),
    ...FORBIDDEN_IPV6.flatMap((address) => [
      `[${address}]`,
      `[${ipaddr.parse(address).toNormalizedString()}]`,
    ]),
  ];
  return hosts.flatMap((host) => [`http://${host}:${port}/`]);
}

/** Everything that is wrong before an address is. */
export function hostileUrls(port: number): string[] {
  const here = `127.0.0.1:${port}`;
  return [
    '',
    ' ',
    'http:',
    'http://',
    'http:///',
    'http://[',
    'http://[::1',
    'http://:80/',
    `//${here}/`,
    here,
    `${here}/path`,
    'not a url',
    `file:///etc/passwd`,
    `file://${here}/etc/passwd`,
    `ftp://${here}/`,
    `gopher://${here}/_INFO`,
    `dict://${here}/info`,
    `ldap://${here}/`,
    `redis://${here}/0`,
    `ws://${here}/`,
    `wss://${here}/`,
    `unix:/var/run/docker.sock`,
    `http+unix://%2Fvar%2Frun%2Fdocker.sock/info`,
    `jar:http://${here}/!/`,
    `blob:http://${here}/x`,
    `data:text/plain,hello`,
    `javascript:alert(1)`,
    `about:blank`,
    `view-source:http://${here}/`,
    `https+http://${here}/`,
    `http://user@${here}/`,
    `http://user:password@${here}/`,
    `http://example.com@${here}/`,
    `http://example.com:80@${here}/`,
    `http://example.com%40${here}/`,
    `http://${here}\\@example.com/`,
    `http://${here}#@example.com/`,
    `http://${here}?@example.com/`,
    `http://${here}/..;/@example.com/`,
    `http:\\\\${here}\\`,
    `http:/${here}/`,
    `http:${here}/`,
    `\thttp://${here}/\n`,
    `ht\ntp://127.0.\t0.1:${port}/`,
    `HTTP://${here}/`,
    `hTtPs://${here}/`,
    `http://127.0.0.1:0${port}/`,
    `http://127.0.0.1:${port}%2f@example.com/`,
    `http://256.256.256.256:${port}/`,
    `http://127.0.0.1.1:${port}/`,
    `http://0x:${port}/`,
    `http://0x100000000:${port}/`,
    `http://[::1%25lo]:${port}/`,
    `http://[::ffff:127.0.0.1%25lo]:${port}/`,
    `http://a b:${port}/`,
    `http://127.0.0.1\u0000:${port}/`,
    `http://127.0.0.1:65536/`,
    `http://127.0.0.1:-1/`,
    `http://${'a'.repeat(9_000)}/`,
  ];
}

/** Names that mean this machine to somebody: the hosts file, mDNS, wildcard DNS, clouds. */
export function hostileNames(port: number): string[] {
  return [
    'localhost',
    'LOCALHOST',
    'localhost.',
    'localhost.localdomain',
    'foo.localhost',
    'ip6-localhost',
    'ip6-loopback',
    'lvh.me',
    'localtest.me',
    '127.0.0.1.nip.io',
    '7f000001.nip.io',
    'spoofed.burpcollaborator.net',
    'metadata',
    'metadata.google.internal',
    'instance-data',
    'kubernetes.default.svc',
    'host.docker.internal',
    'redis',
    'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ',
    'local\u00adhost',
  ].map((name) => `http://${name}:${port}/`);
}
