import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { TestContext } from '@sluice/redis/testing';
import { expect, test, vi } from 'vitest';
import { type Network, parseNetwork } from '../../src/egress/address.ts';
import { EgressGuard, type OutgoingRequest } from '../../src/egress/guard.ts';
import type { EgressAllowance } from '../../src/egress/policy.ts';
import { dnsServer } from './dns-server.ts';
import { hostileAddresses, hostileNames, hostileUrls } from './hostile-urls.ts';
import { countingListener, httpServer } from './servers.ts';

function guard(
  t: TestContext,
  allow: string[] = [],
  options: Partial<EgressAllowance> & { dns?: string } = {},
) {
  const networks = allow.map((text) => parseNetwork(text) as Network);
  const { hosts = [], ports = [], dns } = options;
  const it = new EgressGuard({
    allowance: { networks, hosts, ports },
    names: { servers: dns === undefined ? [] : [dns], timeoutMs: 500 },
  });
  t.onTestFinished(() => it.close());
  return {
    send: (url: string, request: Partial<OutgoingRequest> = {}) =>
      it.request({ method: 'GET', url, timeoutMs: 2_000, maxBodyBytes: 1_000, ...request }),
  };
}

function* endless() {
  for (;;) yield 'x'.repeat(10_000);
}

/** What each URL came to: the code it was refused with, or that it was answered. */
async function outcomes(
  send: (url: string) => Promise<unknown>,
  urls: readonly string[],
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const url of urls) {
    const outcome = await send(url).then(
      () => 'answered',
      (error: { code?: string }) => error.code ?? String(error),
    );
    found.set(outcome, [...(found.get(outcome) ?? []), url]);
  }
  return found;
}

test('refuses every spelling of a forbidden address without a connection', async (t) => {
  const listener = await countingListener(t);
  const { send } = guard(t, [], { ports: [listener.port] });
  const urls = [...hostileAddresses(listener.port), ...hostileUrls(listener.port)];

  const found = await outcomes(send, urls);

  expect(urls.length).toBeGreaterThan(600);
  expect([...found.keys()]).toEqual(['egress_refused']);
  expect(listener.connections()).toBe(0);
});

test('reaches none of this machine by a name, whatever DNS makes of it', async (t) => {
  const listener = await countingListener(t);
  const urls = hostileNames(listener.port);
  const zone = Object.fromEntries(
    urls.map((url) => [new URL(url).hostname.replace(/\.$/, ''), () => ['127.0.0.1', '::1']]),
  );
  const { send } = guard(t, [], { ports: [listener.port], dns: await dnsServer(t, zone) });

  const found = await outcomes(send, urls);

  expect([...found.keys()]).toEqual(['egress_refused']);
  expect(listener.connections()).toBe(0);
});

test.for<[string, string[]]>([
  ['one private address', ['10.1.2.3']],
  ['loopback in IPv6', ['::1']],
  ['loopback mapped into IPv6', ['::ffff:127.0.0.1']],
  ['loopback through NAT64', ['64:ff9b::7f00:1']],
  ['metadata', ['169.254.169.254']],
  ['an allowed address and a private one', ['127.0.0.2', '127.0.0.3']],
  ['an allowed IPv4 and a private IPv6', ['127.0.0.2', 'fd00::1']],
])('refuses a name that stands for %s', async ([, addresses], t) => {
  const listener = await countingListener(t);
  const dns = await dnsServer(t, { 'name.test': () => addresses });
  const { send } = guard(t, ['127.0.0.2'], { ports: [listener.port], dns });

  await expect(send(`http://name.test:${listener.port}/`)).rejects.toMatchObject({
    code: 'egress_refused',
    details: { reason: 'address_refused' },
  });
  expect(listener.connections()).toBe(0);
});

test('connects to the addresses it has judged, though the name changes at every question', async (t) => {
  const allowed = await httpServer(t, (_request, response) => response.end('hello'), '127.0.0.2');
  const forbidden = await countingListener(t, '127.0.0.3', allowed.port);
  let asked = 0;
  const dns = await dnsServer(t, {
    // A and AAAA are asked together, so each turn of the name lasts two questions.
    'rebind.test': () => [Math.floor(asked++ / 2) % 2 === 0 ? '127.0.0.2' : '127.0.0.3'],
  });
  const { send } = guard(t, ['127.0.0.2'], { dns });

  const statuses: string[] = [];
  for (let request = 0; request < 20; request += 1) {
    const headers = { connection: 'close' };
    statuses.push(
      await send(`http://rebind.test:${allowed.port}/`, { headers }).then(
        ({ status }) => String(status),
        (error: { code: string }) => error.code,
      ),
    );
  }

  expect(new Set(statuses)).toEqual(new Set(['200', 'egress_refused']));
  expect(forbidden.connections()).toBe(0);
});

test('does not follow a redirect: it is the answer', async (t) => {
  const target = await countingListener(t);
  const server = await httpServer(t, (request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status, { location: `http://127.0.0.1:${target.port}/` }).end();
  });
  const { send } = guard(t, ['127.0.0.1']);

  for (const status of [301, 302, 303, 307, 308]) {
    const answer = await send(`http://127.0.0.1:${server.port}/${status}`);
    expect(answer).toMatchObject({ status, headers: { location: `http://127.0.0.1:${target.port}/` } });
  }
  expect(target.connections()).toBe(0);
});

test('asks no proxy, whatever the environment says', async (t) => {
  const proxy = await countingListener(t);
  const server = await httpServer(t, (_request, response) => response.end('direct'));
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']) {
    vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
  }
  vi.stubEnv('NODE_USE_ENV_PROXY', '1');
  t.onTestFinished(() => void vi.unstubAllEnvs());
  const { send } = guard(t, ['127.0.0.1']);

  expect(String((await send(`http://127.0.0.1:${server.port}/`)).body)).toBe('direct');
  expect(proxy.connections()).toBe(0);
});

test('reaches an allowed network at any port, by address and by name', async (t) => {
  const server = await httpServer(t, (_request, response) => response.end('in'));
  const dns = await dnsServer(t, { 'inside.test': () => ['127.0.0.1'] });
  const { send } = guard(t, ['127.0.0.0/8'], { dns });

  expect((await send(`http://127.0.0.1:${server.port}/`)).status).toBe(200);
  expect((await send(`http://0x7f000001:${server.port}/`)).status).toBe(200);
  expect((await send(`http://inside.test:${server.port}/`)).status).toBe(200);
});

test('reaches a host that is allowed by name, as the operating system knows it', async (t) => {
  const server = await httpServer(t, (_request, response) => response.end('in'));
  const { send } = guard(t, [], { hosts: ['localhost'], dns: await dnsServer(t, {}) });

  expect((await send(`http://LOCALHOST.:${server.port}/`)).status).toBe(200);
  await expect(send(`http://127.0.0.1:${server.port}/`)).rejects.toMatchObject({ code: 'egress_refused' });
});

test('refuses a public host at an unusual port before it is connected to', async (t) => {
  const dns = await dnsServer(t, { 'public.test': () => ['8.8.8.8'] });
  const { send } = guard(t, [], { dns });

  for (const port of [22, 25, 6379, 11211, 8081]) {
    await expect(send(`http://public.test:${port}/`)).rejects.toMatchObject({
      code: 'egress_refused',
      details: { reason: 'port_refused' },
    });
  }
});

test.for([
  ['has no address', 'empty.test'],
  ['is unknown', 'unknown.test'],
  ['is never answered', 'silent.test'],
])('fails in time for a name that %s', async ([, name], t) => {
  const dns = await dnsServer(t, { 'empty.test': () => [], 'silent.test': () => null });
  const { send } = guard(t, [], { dns });
  const startedAt = performance.now();

  await expect(send(`http://${name}/`)).rejects.toMatchObject({
    code: 'egress_failed',
    message: `the name ${name} could not be resolved`,
  });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test('tells nothing of the address when a connection fails', async (t) => {
  const { port } = await countingListener(t, '127.0.0.1');
  const { send } = guard(t, ['127.0.0.0/8']);

  const error = await send(`http://127.0.0.9:${port}/`).catch((thrown: Error) => thrown);

  expect(error).toMatchObject({
    code: 'egress_failed',
    message: `127.0.0.9:${port} could not be reached: ECONNREFUSED`,
  });
});

test('cuts an endless answer at its bound and drops the connection', async (t) => {
  const closed = vi.fn();
  const server = await httpServer(t, (request, response) => {
    request.socket.on('close', closed);
    Readable.from(endless()).pipe(response);
  });
  const { send } = guard(t, ['127.0.0.1']);

  const answer = await send(`http://127.0.0.1:${server.port}/`, { maxBodyBytes: 12_345 });

  expect(answer).toMatchObject({ isTruncated: true });
  expect(answer.body.length).toBe(12_345);
  await vi.waitFor(() => expect(closed).toHaveBeenCalled());
});

test('keeps an answer of exactly its bound whole', async (t) => {
  const server = await httpServer(t, (_request, response) => response.end('x'.repeat(1_000)));
  const { send } = guard(t, ['127.0.0.1']);

  const answer = await send(`http://127.0.0.1:${server.port}/`, { maxBodyBytes: 1_000 });

  expect(answer).toMatchObject({ isTruncated: false });
  expect(answer.body.length).toBe(1_000);
});

test('does not unpack what is packed', async (t) => {
  const packed = gzipSync('x'.repeat(10_000_000));
  const seen = vi.fn();
  const server = await httpServer(t, (request, response) => {
    seen(request.headers['accept-encoding']);
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed);
  });
  const { send } = guard(t, ['127.0.0.1']);

  const answer = await send(`http://127.0.0.1:${server.port}/`, { maxBodyBytes: 100_000 });

  expect(answer.body.equals(packed)).toBe(true);
  expect(seen).toHaveBeenCalledWith('identity');
});

test.for([
  ['never answers', ''],
  ['drips its headers', 'HTTP/1.1 200 OK\r\nX-Long: '],
  ['drips its body', 'HTTP/1.1 200 OK\r\n\r\n'],
] as const)('ends a request to a server that %s', async ([, beginning], t) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined).write(beginning);
    const dripping = setInterval(() => beginning && socket.write('x'), 50);
    socket.on('close', () => clearInterval(dripping));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.onTestFinished(() => void server.close());
  const { send } = guard(t, ['127.0.0.1']);
  const startedAt = performance.now();
  const { port } = server.address() as { port: number };

  await expect(send(`http://127.0.0.1:${port}/`, { timeoutMs: 300 })).rejects.toMatchObject({
    code: 'egress_failed',
    message: `127.0.0.1:${port} could not be reached: no whole answer within 300 ms`,
  });
  expect(performance.now() - startedAt).toBeLessThan(900);
});

test('refuses to read headers without end', async (t) => {
  const server = await httpServer(t, (_request, response) => {
    response.socket?.write(
      `HTTP/1.1 200 OK\r\n${'X-Header: xxxxxxxxxxxxxxxxxxxxxxxxx\r\n'.repeat(2_000)}\r\n`,
    );
  });
  const { send } = guard(t, ['127.0.0.1']);

  await expect(send(`http://127.0.0.1:${server.port}/`)).rejects.toMatchObject({ code: 'egress_failed' });
});

test('stops at the abort of its caller, with the reason of the abort', async (t) => {
  const server = await httpServer(t, () => undefined);
  const { send } = guard(t, ['127.0.0.1']);
  const controller = new AbortController();
  const reason = new Error('cancelled');
  const sending = send(`http://127.0.0.1:${server.port}/`, { signal: controller.signal });

  controller.abort(reason);

  await expect(sending).rejects.toBe(reason);
});
