/** This file owns an HTTP server of a test's own that takes whatever it is sent. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Cleaner } from './product.ts';

/** `onRequest` is told of each request with its whole body; the answer is 200 with `{}`. Answers its address, without a slash. */
export async function startReceiver(
  t: Cleaner,
  onRequest: (request: IncomingMessage, body: string) => void,
): Promise<string> {
  const server = createServer((request, response) => {
    text(request).then(
      (body) => {
        onRequest(request, body);
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      },
      // The sender has gone, and with it whoever could be answered.
      () => response.destroy(),
    );
  });
  t.onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
