/** This file owns the reading of Server-Sent Events, as the HTML Standard writes them (§9.2.6). */

export interface ReceivedEvent {
  /** `open` before the first: whatever happens from then on is told. */
  name: string;
  /** Of the last event that had one, to come back with; empty when none had. */
  id: string;
  data: string;
}

/** The events of `body` until it ends; rejects when the connection breaks. Leaving the loop closes it. */
export async function* receivedEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ReceivedEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let name = '';
  let id = '';
  let data: string[] = [];
  try {
    yield { name: 'open', id, data: '' };
    for await (const chunk of body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { name: name || 'message', id, data: data.join('\n') };
          name = '';
          data = [];
          continue;
        }
        const [field, value] = split(line);
        if (field === 'event') name = value;
        if (field === 'data') data.push(value);
        if (field === 'id') id = value;
      }
    }
  } finally {
    // Closed or broken already, or its reader has gone.
    await body.cancel().catch(() => undefined);
  }
}

/** A line without a colon is a field without a value; one that begins with it is a comment, a field without a name. */
function split(line: string): [field: string, value: string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}
