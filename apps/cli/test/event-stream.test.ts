import { expect, test } from 'vitest';
import { type ReceivedEvent, receivedEvents } from '../src/event-stream.ts';

async function read(chunks: readonly Uint8Array[]): Promise<ReceivedEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events: ReceivedEvent[] = [];
  for await (const event of receivedEvents(body)) events.push(event);
  return events;
}

test('reads events, comments and positions, however the bytes come', async () => {
  const text =
    'retry: 2000\nid: \n\nid: 1-0\nevent: progress\ndata: {"a":\ndata:"é"}\n\n: alive\n\n' +
    'event: ended\r\ndata: {}\r\n\r\nevent: cut off\ndata: {}';
  const bytes = Buffer.from(text);
  const expected = [
    { name: 'open', id: '', data: '' },
    { name: 'progress', id: '1-0', data: '{"a":\n"é"}' },
    { name: 'ended', id: '1-0', data: '{}' },
  ];

  expect(await read([bytes])).toEqual(expected);
  expect(await read(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(expected);
});

test('closes the connection when it is left', async () => {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    cancel() {
      isCancelled = true;
    },
  });

  for await (const event of receivedEvents(body)) {
    expect(event.name).toBe('open');
    break;
  }

  expect(isCancelled).toBe(true);
});
