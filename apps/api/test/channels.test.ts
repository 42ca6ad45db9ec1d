import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, testServer } from '@sluice/redis/testing';
import { describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './harness.ts';

const KEEP = { count: 100, seconds: 60 };

describe('channels over HTTP', () => {
  it('brings a message to everyone who reads, to the letter', async (t) => {
    const { api, publish, subscribe } = await setup(t);
    const [one, two, other] = [
      await subscribe('orders'),
      await subscribe('orders'),
      await subscribe('orders:eu'),
    ];

    const published = await api.call('/api/v2/channels/orders', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"message":{"n":12345678901234567890,\r\n "a":1.0}}',
    });
    await publish('orders:eu', 'eu');

    const message = { event: 'message', id: undefined, data: '{"n":12345678901234567890,\n "a":1.0}' };
    expect([published.status, await published.json()]).toEqual([200, { success: true, id: null }]);
    expect([await one.next(), await two.next()]).toEqual([message, message]);
    expect(await other.next()).toMatchObject({ data: '"eu"' });
  });

  it('carries any JSON, null and nothing much included', async (t) => {
    const { publish, subscribe } = await setup(t);
    const reader = await subscribe('orders');
    const values = [null, 0, '', false, [], {}, 'a\nb', { id: 'event: x' }];

    for (const value of values) await publish('orders', value);

    const got: unknown[] = [];
    for (const _ of values) got.push(JSON.parse((await reader.next()).data));
    expect(got).toEqual(values);
  });

  it('resumes after the last event a browser saw, by header or address', async (t) => {
    const { publish, subscribe } = await setup(t);
    const first = await subscribe('orders');
    const ids = [];
    for (let n = 0; n < 3; n += 1) ids.push((await publish('orders', n, KEEP)).id);
    const seen = await first.next();
    await first.close();

    const byHeader = await subscribe('orders', { headers: { 'Last-Event-ID': seen.id ?? '' } });
    const byAddress = await subscribe(`orders?last_event_id=${seen.id}`);
    const all = await subscribe('orders?last_event_id=0');

    expect(seen).toEqual({ event: 'message', id: ids[0], data: '0' });
    for (const reader of [byHeader, byAddress]) {
      expect([await reader.next(), await reader.next()]).toEqual([
        { event: 'message', id: ids[1], data: '1' },
        { event: 'message', id: ids[2], data: '2' },
      ]);
    }
    expect([(await all.next()).data, (await all.next()).data, (await all.next()).data]).toEqual([
      '0',
      '1',
      '2',
    ]);
  });

  it('lets a reader that was cut off before its first message resume where it began', async (t) => {
    const { publish, subscribe } = await setup(t);
    await publish('orders', 'before', KEEP);
    const first = await subscribe('orders');
    const place = first.lastEventId();
    await first.close();

    await publish('orders', 'missed', KEEP);
    const second = await subscribe('orders', { headers: { 'Last-Event-ID': place } });

    expect((await second.next()).data).toBe('"missed"');
  });

  it('tells a reader of a gap', async (t) => {
    const { subscribe } = await setup(t);

    const reader = await subscribe('orders', { headers: { 'Last-Event-ID': '1-0' } });

    expect(await reader.next()).toEqual({ event: 'gap', id: undefined, data: '{"after":"1-0"}' });
  });

  it('asks for the right to each channel, to publish and to read apart', async (t) => {
    const { api } = await setup(t);
    const key = await api.makeKey(['channels:subscribe:orders:*', 'channels:publish:orders:eu']);
    const statusOf = async (method: string, channel: string) => {
      const gone = new AbortController();
      const json = method === 'POST' ? { json: { message: 1 } } : {};
      const answer = await api.call(`/api/v2/channels/${channel}`, {
        method,
        key,
        signal: gone.signal,
        ...json,
      });
      gone.abort();
      return answer.status;
    };

    const statuses = [
      await statusOf('GET', 'orders:eu'),
      await statusOf('GET', 'orders:us'),
      await statusOf('GET', 'orders'),
      await statusOf('POST', 'orders:eu'),
      await statusOf('POST', 'orders:us'),
    ];

    expect(statuses).toEqual([200, 200, 403, 200, 403]);
  });

  it('lets a key have twenty readers, and one more when one goes', async (t) => {
    const { api, subscribe } = await setup(t);
    const readers = await Promise.all(Array.from({ length: 20 }, () => subscribe('orders')));

    const refused = await api.call('/api/v2/channels/orders');
    const body = (await refused.json()) as { error: { context: { reason: string } } };
    await readers[0]?.close();

    expect([refused.status, refused.headers.get('retry-after'), body.error.context.reason]).toEqual([
      429,
      '10',
      'channel_readers_of_key_full',
    ]);
    await expect.poll(async () => (await tryOpen(api)).status, { timeout: 5_000 }).toBe(200);
  });

  it('gives up the subscription when the last reader goes', async (t) => {
    const { api, subscribe } = await setup(t);
    const readers = [await subscribe('orders'), await subscribe('orders')];
    const topics = async () =>
      (await api.redis.client.call('PUBSUB', 'CHANNELS', `${api.redis.prefix}:channel:*`)) as string[];
    const whileReading = await topics();

    for (const reader of readers) await reader.close();

    expect(whileReading).toEqual([`${api.redis.prefix}:channel:{orders}@0`]);
    await expect.poll(topics, { timeout: 5_000 }).toEqual([]);
    const metrics = await (await api.call('/metrics')).text();
    expect(metrics).toContain('sluice_channel_readers 0');
  });

  it('drops a reader that does not read, and says so; others go on', async (t) => {
    const { api, publish, subscribe } = await setup(t);
    const quick = await subscribe('orders');
    const stalled = connect(Number(new URL(api.url).port), '127.0.0.1');
    await once(stalled, 'connect');
    stalled.pause();
    stalled.write(
      `GET /api/v2/channels/orders HTTP/1.1\r\nHost: x\r\nX-DreamFactory-API-Key: ${api.key}\r\n\r\n`,
    );
    const readers = async () =>
      /sluice_channel_readers (\d+)/.exec(await (await api.call('/metrics')).text())?.[1];
    await expect.poll(readers, { timeout: 5_000 }).toBe('2');

    let sent = 0;
    while ((await readers()) === '2' && sent < 2_000) {
      for (let n = 0; n < 20; n += 1) {
        await publish('orders', 'x'.repeat(60_000));
        await quick.next();
      }
      sent += 20;
    }
    let tail = '';
    stalled.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString('latin1')).slice(-200);
    });
    stalled.resume();

    await expect.poll(() => tail, { timeout: 10_000 }).toContain('event: overflow\ndata: {}\n\n');
    stalled.destroy();
    await publish('orders', 'still here');
    expect((await quick.next()).data).toBe('"still here"');
  }, 60_000);

  it('says what is wrong with a channel, a place or a message', async (t) => {
    const { api } = await setup(t);
    const post = (json: unknown) => api.call('/api/v2/channels/orders', { method: 'POST', json });
    const answers = [
      await api.call(`/api/v2/channels/${encodeURIComponent('a*')}`),
      await api.call(`/api/v2/channels/${encodeURIComponent('a}b')}`),
      await api.call('/api/v2/channels/orders?last_event_id=$'),
      await api.call('/api/v2/channels/orders', { headers: { 'Last-Event-ID': 'x' } }),
      await post({}),
      await post({ message: 1, keep: { count: 0 } }),
      await post({ message: 1, keep: { count: 1_001 } }),
      await post({ message: 'x'.repeat(65_536) }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400, 400, 400, 413]);
  });

  it('ends the stream at once when Redis goes, and answers 503 until it is back', async (t) => {
    const server = await testServer(t);
    const { api, publish, subscribe } = await setup(t, { CHANNEL_URL: server.url });
    await expect.poll(async () => (await tryOpen(api)).status, { timeout: 5_000 }).toBe(200);
    const reader = await subscribe('orders');

    await server.kill();
    const last = await reader.next();
    const refused = await api.call('/api/v2/channels/orders');
    const unpublished = await publish('orders', 1);
    await server.start();

    expect(last).toEqual({ event: 'redis_unavailable', id: undefined, data: '{}' });
    expect(await reader.isOver()).toBe(true);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(unpublished).toMatchObject({ error: { context: { reason: 'redis_unavailable' } } });
    await expect.poll(async () => (await tryOpen(api)).status, { timeout: 10_000 }).toBe(200);
  });
});

interface Event {
  event: string;
  id: string | undefined;
  data: string;
}

/** Opens a stream and leaves it. */
async function tryOpen(api: TestApi): Promise<Response> {
  const gone = new AbortController();
  const answer = await api.call('/api/v2/channels/probe', { signal: gone.signal });
  gone.abort();
  return answer;
}

async function setup(t: TestContext, variables: Record<string, string> = {}) {
  const api = await startApi(t, variables);
  return {
    api,
    publish: async (channel: string, message: unknown, keep?: typeof KEEP) => {
      const json = { message, ...(keep && { keep }) };
      const answer = await api.call(`/api/v2/channels/${channel}`, { method: 'POST', json });
      return (await answer.json()) as { id: string | null };
    },
    subscribe: async (channel: string, init: RequestInit = {}) => {
      const answer = await api.call(`/api/v2/channels/${channel}`, init);
      expect([answer.status, answer.headers.get('content-type')]).toEqual([
        200,
        'text/event-stream; charset=utf-8',
      ]);
      const reader = new EventReader(answer);
      t.onTestFinished(() => reader.close());
      await reader.begin();
      return reader;
    },
  };
}

/** Reads events as the HTML Standard §9.2.6 says; comments are skipped, and the id is kept as a browser keeps it. */
class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = '';
  #lastEventId = '';

  constructor(answer: Response) {
    this.#reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  }

  /** Up to the first block, which has no event. */
  async begin(): Promise<void> {
    await this.#block();
  }

  lastEventId(): string {
    return this.#lastEventId;
  }

  async next(): Promise<Event> {
    for (;;) {
      const block = await this.#block();
      if (block === undefined) throw new Error('the stream has ended');
      if (block.data !== undefined)
        return { event: block.event ?? 'message', id: block.id, data: block.data };
    }
  }

  async isOver(): Promise<boolean> {
    return (await this.#block()) === undefined;
  }

  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => undefined);
  }

  async #block(): Promise<{ event?: string; id?: string | undefined; data?: string } | undefined> {
    let end = this.#text.indexOf('\n\n');
    while (end === -1) {
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += new TextDecoder().decode(value);
      end = this.#text.indexOf('\n\n');
    }
    const block: { event?: string; id?: string; data?: string } = {};
    for (const line of this.#text.slice(0, end).split('\n')) {
      const [, field = '', text = ''] = /^(\w*): ?(.*)$/.exec(line) ?? [];
      if (field === 'data') block.data = block.data === undefined ? text : `${block.data}\n${text}`;
      else if (field === 'event') block.event = text;
      else if (field === 'id') {
        block.id = text;
        this.#lastEventId = text;
      }
    }
    this.#text = this.#text.slice(end + 2);
    return block;
  }
}
