import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from '@sluice/redis/testing';

/** A client that writes bytes of its own choosing and hears the answers. */
export async function rawClient(
  t: TestContext,
  url: string,
): Promise<{ socket: Socket; heard: () => string }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  t.onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return { socket, heard: () => text };
}
