import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { BodyRoom } from '../src/http/body-room.ts';
import { Exchange } from '../src/http/exchange.ts';
import { startApi } from './harness.ts';
import { rawClient } from './raw-client.ts';

const post = (key: string, more: string) =>
  `POST /api/v2/queues/mail/jobs HTTP/1.1\r\nHost: x\r\nX-DreamFactory-API-Key: ${key}\r\nContent-Type: application/json\r\n${more}\r\n\r\n`;
const JOB = '{"name":"send","data":{"to":"ada"}}';

describe('a request on the wire', () => {
  it('may come in pieces, in any encoding of its length', async (t) => {
    const api = await startApi(t);
    const { socket, heard } = await rawClient(t, api.url);

    socket.write(post(api.key, `Content-Length: ${JOB.length}`));
    await api.call('/livez');
    socket.write(JOB.slice(0, 7));
    await api.call('/livez');
    socket.write(JOB.slice(7));
    await expect.poll(heard, { timeout: 10_000 }).toMatch(/^HTTP\/1.1 201 /);

    socket.write(`${post(api.key, 'Transfer-Encoding: chunked')}7\r\n${JOB.slice(0, 7)}\r\n`);
    await api.call('/livez');
    socket.write(`${(JOB.length - 7).toString(16)}\r\n${JOB.slice(7)}\r\n0\r\n\r\n`);
    await expect.poll(() => heard().match(/HTTP\/1.1 201 /g)?.length, { timeout: 10_000 }).toBe(2);
  });

  it('hears 413 before its body is through, and is cut off when it goes on', async (t) => {
    const api = await startApi(t, { MAX_BATCH_BYTES: '20000', MAX_VALUE_BYTES: '10000' });
    for (const length of ['Content-Length: 100000000', 'Transfer-Encoding: chunked']) {
      const { socket, heard } = await rawClient(t, api.url);
      const chunk = `${(30_000).toString(16)}\r\n${'x'.repeat(30_000)}\r\n`;

      socket.write(post(api.key, length) + chunk);

      await expect
        .poll(heard, { message: length, timeout: 10_000 })
        .toMatch(/^HTTP\/1.1 413 .*body_too_large/s);
      await once(socket, 'close');
    }
  });

  it('that breaks off in its body changes nothing', async (t) => {
    const api = await startApi(t);
    const { socket } = await rawClient(t, api.url);

    socket.write(post(api.key, `Content-Length: ${JOB.length}`) + JOB.slice(0, 9));
    await api.call('/livez');
    socket.destroy();

    await expect
      .poll(async () => (await api.call('/metrics')).text(), { timeout: 10_000 })
      .toMatch(/sluice_http_request_duration_seconds_count\{route="enqueueJobs",status="400"\} 1/);
    expect((await api.call('/api/v2/queues/mail')).status).toBe(404);
  });

  it('that is gone before anybody asks for its body is not waited for', async () => {
    const incoming = new IncomingMessage(new Socket());
    incoming.headers['content-length'] = '10';
    incoming.destroy();
    const exchange = new Exchange(incoming, new ServerResponse(incoming), new BodyRoom({ max: 100 }));

    await expect(exchange.body(100)).rejects.toMatchObject({ code: 'input_invalid' });
  });

  it('may name the whole address, and must name a host that could be one', async (t) => {
    const api = await startApi(t);
    const { socket, heard } = await rawClient(t, api.url);

    socket.write('GET http://sluice.example/livez?a HTTP/1.1\r\nHost: sluice.example\r\n\r\n');
    await expect.poll(heard, { timeout: 10_000 }).toMatch(/^HTTP\/1.1 200 .*"status":"ok"/s);

    socket.write('GET /livez HTTP/1.1\r\nHost: a b/<c>\r\n\r\n');
    await expect.poll(heard, { timeout: 10_000 }).toMatch(/HTTP\/1.1 400 .*Host header is malformed/s);
  });

  it('gets the length of what HEAD would have answered, and no body', async (t) => {
    const api = await startApi(t);
    const { socket, heard } = await rawClient(t, api.url);

    socket.write('HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n');

    await expect.poll(heard, { timeout: 10_000 }).toMatch(/"status":"ok"/);
    const lengths = [...heard().matchAll(/Content-Length: (\d+)/g)].map(([, length]) => length);
    expect(lengths).toEqual([lengths[0], lengths[0]]);
    expect(heard().match(/"status":"ok"/g)).toHaveLength(1);
  });
});
