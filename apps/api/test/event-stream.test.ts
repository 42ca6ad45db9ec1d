import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventStream, type Feed, frame, type ServerEvent } from '../src/http/event-stream.ts';

const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('an event', () => {
  it('has its data line by line, whatever ends them, and cannot grow fields', () => {
    const data = '{\n"a":1,\r\n"b":2,\rid: 9\n\n}';

    expect(frame({ data })).toBe('data: {\ndata: "a":1,\ndata: "b":2,\ndata: id: 9\ndata: \ndata: }\n\n');
    expect(frame({ name: 'gap', id: '1-0', data: '1' })).toBe('id: 1-0\nevent: gap\ndata: 1\n\n');
    expect(frame({ id: null, data: '' })).toBe('data: \n\n');
  });
});

describe('an event stream', () => {
  it('begins with where it stands, then sends what comes, and a sign of life when nothing does', async () => {
    const { feed, read, reply } = setup();
    feed.give([{ id: '5-0', data: '1' }, { data: '2' }], []);

    expect([await read(), await read(), await read()]).toEqual([
      'retry: 2000\nid: 4-0\n\n',
      'id: 5-0\ndata: 1\n\ndata: 2\n\n',
      ': alive\n\n',
    ]);
    expect(feed.waits).toEqual([15_000, 15_000]);
    expect(reply.headers).toMatchObject({
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store, no-transform',
    });
  });

  it('asks its feed for nothing before the client has taken what came before', async () => {
    const { feed, read } = setup();
    feed.give([{ data: '1' }], [{ data: '2' }]);

    await read();
    expect(feed.waits).toHaveLength(0);
    await read();

    expect(feed.waits).toHaveLength(1);
  });

  it('says why the feed ended, and ends', async () => {
    const { feed, rest } = setup();
    feed.give([{ data: '1' }]);
    feed.endWith('overflow');

    expect(await rest()).toBe('retry: 2000\nid: 4-0\n\ndata: 1\n\nevent: overflow\ndata: {}\n\n');
  });

  it('ends when the feed fails', async () => {
    const { feed, rest } = setup();
    feed.failWith('redis_unavailable');

    expect(await rest()).toContain('event: redis_unavailable\n');
  });

  it('ends within a minute of the loss of the right, and sends what was taken before', async () => {
    let isAllowed = true;
    const { feed, read, rest } = setup({ isAllowed: () => isAllowed });
    feed.give([], [{ data: 'before' }], [{ data: 'never' }]);
    await read();
    isAllowed = false;
    const early = await read();

    vi.advanceTimersByTime(MINUTE);

    expect(early).toBe(': alive\n\n');
    expect(await rest()).toBe('data: before\n\nevent: forbidden\ndata: {}\n\n');
    expect(feed.isEnded).toBe(true);
  });

  it('goes on for half an hour and not for more than five minutes longer', async () => {
    const { feed, read, rest } = setup();
    feed.give([], []);
    await read();

    vi.advanceTimersByTime(30 * MINUTE - 1);
    const before = await read();
    vi.advanceTimersByTime(5 * MINUTE + 1);

    expect(before).toBe(': alive\n\n');
    expect(await rest()).toBe('event: renewed\ndata: {}\n\n');
  });

  it('ends when the process stops, also one that stopped already', async () => {
    const stopping = new AbortController();
    const running = setup({ stopping: stopping.signal });
    await running.read();

    stopping.abort();
    const late = setup({ stopping: stopping.signal });

    expect(await running.rest()).toBe('event: stopped\ndata: {}\n\n');
    expect(await late.rest()).toContain('event: stopped\n');
  });

  it('ends its feed when the client goes', async () => {
    const { feed, reader, read } = setup();
    await read();

    await reader.cancel();

    expect(feed.isEnded).toBe(true);
  });
});

/** A feed that gives what it was told to, then waits for its end. */
class ToldFeed implements Feed {
  ending: string | undefined;
  isEnded = false;
  readonly waits: number[] = [];
  readonly #batches: (readonly ServerEvent[])[] = [];
  #afterwards: string | undefined;
  #fails = false;

  give(...batches: (readonly ServerEvent[])[]): void {
    this.#batches.push(...batches);
  }

  endWith(ending: string): void {
    this.#afterwards = ending;
  }

  failWith(ending: string): void {
    this.#afterwards = ending;
    this.#fails = true;
  }

  async take(waitMs: number): Promise<readonly ServerEvent[]> {
    this.waits.push(waitMs);
    const batch = this.#batches.shift();
    if (batch) return batch;
    this.ending ??= this.#afterwards;
    if (this.#fails) throw new Error('away');
    return [];
  }

  end(): void {
    this.isEnded = true;
    this.ending ??= 'stopped';
  }
}

function setup(options: { isAllowed?: () => boolean; stopping?: AbortSignal } = {}) {
  const feed = new ToldFeed();
  const reply = eventStream({
    feed,
    position: '4-0',
    stopping: options.stopping ?? new AbortController().signal,
    isAllowed: options.isAllowed ?? (() => true),
  });
  const reader = (reply.body as ReadableStream<Uint8Array>).getReader();
  const read = async () => {
    const { value } = await reader.read();
    return value && new TextDecoder().decode(value);
  };
  const rest = async () => {
    let text = '';
    for (let chunk = await read(); chunk !== undefined; chunk = await read()) text += chunk;
    return text;
  };
  return { feed, reply, reader, read, rest };
}
