import type { IncomingMessage, RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestContext } from '@sluice/redis/testing';
import { expect, test } from 'vitest';
import { type Network, parseNetwork } from '../../src/egress/address.ts';
import { EgressGuard } from '../../src/egress/guard.ts';
import { httpRequest } from '../../src/processors/http-request.ts';
import { httpServer } from '../egress/servers.ts';
import { runJob } from '../run-job.ts';

type Answer = (...parameters: Parameters<RequestListener>) => void | Promise<void>;

async function setup(t: TestContext, answer: Answer) {
  const server = await httpServer(t, (request, response) => void answer(request, response));
  const networks = [parseNetwork('127.0.0.1') as Network];
  const egress = new EgressGuard({ allowance: { networks, hosts: [], ports: [] } });
  t.onTestFinished(() => egress.close());
  const url = `http://127.0.0.1:${server.port}/path?q=1`;
  return { url, send: (payload: object = {}) => runJob(httpRequest(egress), { url, ...payload }) };
}

async function described(request: IncomingMessage) {
  const { method, url, headers } = request;
  return { method, url, headers, body: await text(request) };
}

test('sends what it is told and keeps the answer', async (t) => {
  const { send } = await setup(t, async (request, response) => {
    const { headers, ...rest } = await described(request);
    response.writeHead(201, {
      'content-type': 'application/json',
      'set-cookie': 'secret=1',
      'x-other': 'no',
      etag: '"1"',
    });
    response.end(JSON.stringify({ ...rest, token: headers['x-token'], type: headers['content-type'] }));
  });

  const result = await send({ method: 'POST', headers: { 'X-Token': 't' }, body: 'as it is' });

  expect(result).toEqual({
    status: 201,
    headers: { 'content-type': 'application/json', etag: '"1"', date: expect.any(String) },
    body: JSON.stringify({ method: 'POST', url: '/path?q=1', body: 'as it is', token: 't' }),
    body_encoding: 'utf8',
    truncated: false,
  });
});

test('sends JSON with its content type, and gets by default', async (t) => {
  const { send } = await setup(t, async (request, response) => {
    const { method, headers, body } = await described(request);
    response.end([method, headers['content-type'], body].join(' '));
  });

  expect(await send({ method: 'PUT', json: { a: [1, null] } })).toMatchObject({
    body: 'PUT application/json {"a":[1,null]}',
  });
  expect(await send()).toMatchObject({ body: 'GET  ' });
});

test.for([200, 204, 301, 304, 400, 401, 404, 409, 410, 422])(
  'completes with an answer of %i',
  async (status, t) => {
    const { send } = await setup(t, (_request, response) => void response.writeHead(status).end());

    expect(await send()).toMatchObject({ status });
  },
);

test.for([408, 425, 429, 500, 502, 503, 504, 599])(
  'asks for another attempt after an answer of %i',
  async (status, t) => {
    const { url, send } = await setup(
      t,
      (_request, response) => void response.writeHead(status).end('a secret'),
    );

    await expect(send()).rejects.toMatchObject({
      code: 'upstream_failed',
      message: `${new URL(url).host} answered ${status}`,
    });
  },
);

test.for([
  ['seconds', '7', 7_000],
  ['a date that has passed', 'Wed, 21 Oct 2015 07:28:00 GMT', 0],
  ['a day', '86400', 3_600_000],
] as const)('waits for as long as Retry-After says in %s, at most an hour', async ([, value, delayMs], t) => {
  const { send } = await setup(
    t,
    (_request, response) => void response.writeHead(503, { 'retry-after': value }).end(),
  );

  await expect(send()).rejects.toMatchObject({ code: 'retry_after', details: { delayMs } });
});

test('keeps to its backoff when Retry-After says nothing that can be read', async (t) => {
  const { send } = await setup(
    t,
    (_request, response) => void response.writeHead(503, { 'retry-after': 'soon' }).end(),
  );

  await expect(send()).rejects.toMatchObject({ code: 'upstream_failed' });
});

test('keeps the beginning of a long text, whole characters, bounded as JSON', async (t) => {
  const { send } = await setup(t, (_request, response) => void response.end(`a${'é'.repeat(20_000)}`));

  const { body, truncated } = (await send()) as { body: string; truncated: boolean };

  expect(truncated).toBe(true);
  expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThanOrEqual(16_384);
  expect(body).toMatch(/^aé+$/);
  expect(body.length).toBeGreaterThan(8_000);
});

test('bounds a text that grows as JSON', async (t) => {
  const { send } = await setup(t, (_request, response) => void response.end('\u0001"'.repeat(8_000)));

  const { body, truncated } = (await send()) as { body: string; truncated: boolean };

  expect(truncated).toBe(true);
  expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThanOrEqual(16_384);
  expect(body.length).toBeGreaterThan(3_000);
});

test('keeps what is no text in base64', async (t) => {
  const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80]);
  const { send } = await setup(t, (_request, response) => void response.end(bytes));

  expect(await send()).toMatchObject({
    body: bytes.toString('base64'),
    body_encoding: 'base64',
    truncated: false,
  });
});

test('ends at once for a URL that may not be reached', async (t) => {
  const { send } = await setup(t, (_request, response) => void response.end());

  await expect(send({ url: 'http://10.0.0.1/' })).rejects.toMatchObject({ code: 'fatal' });
});

test('asks for another attempt when nobody answers', async (t) => {
  const { send } = await setup(t, (request) => void request.socket.destroy());

  await expect(send()).rejects.toMatchObject({ code: 'egress_failed' });
});

test.for([
  ['an unknown field', { bodi: '' }, /Unrecognized key: "bodi"/],
  ['a verb of its own', { method: 'CONNECT' }, /^method: /],
  ['two bodies', { body: '', json: {} }, /^json: stands beside body/],
  ['a timeout of a day', { timeout: 86_400_000 }, /^timeout: /],
  ['a header name with a line break', { headers: { 'x\r\ny': '1' } }, /^headers\.x/],
  [
    'a header value with a line break',
    { headers: { x: '1\r\nHost: evil' } },
    /^headers\.x: holds a character/,
  ],
  ['a Host header', { headers: { Host: 'evil.example' } }, /is set by the sender/],
  ['a signature', { headers: { 'webhook-signature': 'v1,x' } }, /is set by the sender/],
  ['what proxies say', { headers: { 'X-Forwarded-For': '1.1.1.1' } }, /is set by the sender/],
  ['a Transfer-Encoding header', { headers: { 'transfer-encoding': 'chunked' } }, /is set by the sender/],
  ['a Proxy-Authorization header', { headers: { 'Proxy-Authorization': 'x' } }, /is set by the sender/],
  [
    'too many headers',
    { headers: Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`x-${at}`, ''])) },
    /more than 32 headers/,
  ],
  ['too long headers', { headers: { x: 'y'.repeat(8_200) } }, /more than 8192 characters of headers/],
] as const)('refuses a payload with %s', async ([, payload, fault], t) => {
  const { send } = await setup(t, (_request, response) => void response.end());

  await expect(send(payload)).rejects.toThrow(fault);
});
