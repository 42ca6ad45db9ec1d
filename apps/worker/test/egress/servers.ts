/** This file owns servers that tests of outgoing requests send to: they count connections, and answer as a test says. */
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import type { TestContext } from '@sluice/redis/testing';

export interface Listener {
  port: number;
  connections: () => number;
}

/** Accepts and counts, on every address of this machine unless `host` names one. */
export async function countingListener(t: TestContext, host = '::', port = 0): Promise<Listener> {
  let connections = 0;
  const server = createTcpServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  t.onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

export async function httpServer(
  t: TestContext,
  answer: RequestListener,
  host = '127.0.0.1',
): Promise<Listener> {
  let connections = 0;
  const server = createServer(answer);
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  t.onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}
