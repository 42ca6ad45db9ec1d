import { expect, test } from 'vitest';
import type { LiveFigures } from '../../src/console/live.ts';
import { LiveStreams } from '../../src/console/stream.ts';

function setup() {
  const stopping = new AbortController();
  let figures: LiveFigures | undefined = new Map([['a', { text: '1' }]]);
  const streams = new LiveStreams();
  const open = () =>
    streams.open({
      look: async () => {
        if (!figures) throw new Error('away');
        return figures;
      },
      isIn: async () => true,
      stopping: stopping.signal,
    });
  const set = (next: LiveFigures | undefined) => {
    figures = next;
  };
  return { open, set, stopping };
}

async function next(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string | undefined> {
  const { value, done } = await reader.read();
  return done ? undefined : new TextDecoder().decode(value);
}

test('tells all figures first, then those that changed, an outage once, and all is well again', async () => {
  const { open, set, stopping } = setup();
  const reader = open()?.getReader();
  if (!reader) throw new Error('no stream');

  expect(await next(reader)).toBe('event: figures\ndata: {"a":["1",""]}\n\n');
  set(
    new Map([
      ['a', { text: '1' }],
      ['b', { text: '<b>\n', state: 'bad' }],
    ]),
  );
  expect(await next(reader)).toBe('event: figures\ndata: {"b":["<b>\\n","bad"]}\n\n');
  set(undefined);
  expect(await next(reader)).toBe('event: away\ndata: {}\n\n');
  set(new Map([['a', { text: '1' }]]));
  expect(await next(reader)).toBe('event: figures\ndata: {}\n\n');
  stopping.abort();
  expect(await next(reader)).toBeUndefined();
});

test('is bounded, and a reader who goes makes room', async () => {
  const { open } = setup();
  const readers = Array.from({ length: 500 }, () => open()?.getReader());

  expect(readers.every((reader) => reader !== undefined)).toBe(true);
  expect(open()).toBeUndefined();
  await readers[0]?.cancel();
  expect(open()).toBeDefined();
});
