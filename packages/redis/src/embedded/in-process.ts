/**
 * This file owns the imitation of Redis in this process (js-redis-server), the bridge to that vendor. Built from its
 * parts, because its own `listen` opens the port to every network without a password.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { DomainError } from '@sluice/runtime';
import { identify, type ProcessIdentity } from './process-identity.ts';
import type { EmbeddedEnd, StartedServer } from './started-server.ts';

const DATABASES = 16;

export async function startInProcess({
  port,
  password,
}: {
  port: number;
  password: string;
}): Promise<StartedServer> {
  const { attachSession, createRedisCommandExecutor, RedisServerState, SocketConnectionTransport } =
    await load();
  const state = new RedisServerState({ databaseCount: DATABASES, requirepass: password });
  const executor = createRedisCommandExecutor();
  const sockets = new Set<Socket>();
  const server = createServer({ keepAlive: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const clientAddress = `${socket.remoteAddress}:${socket.remotePort}`;
    const { done } = attachSession(new SocketConnectionTransport(socket), { state, executor, clientAddress });
    // A session that fails has lost its client; there is nobody left to tell.
    done.catch(() => socket.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  const ended = once(server, 'close').then(
    (): EmbeddedEnd => ({ wasAsked: true, reason: 'stop', lastLines: [] }),
  );
  return {
    version: state.profile.version ?? 'unknown',
    process: (await identify(process.pid)) as ProcessIdentity,
    ended,
    async stop() {
      if (!server.listening) return;
      server.close();
      for (const socket of sockets) socket.destroy();
      state.close();
      await ended;
    },
  };
}

async function load(): Promise<typeof import('js-redis-server/core')> {
  try {
    return await import('js-redis-server/core');
  } catch (cause) {
    throw new DomainError(
      'redis_unstartable',
      'neither redis-server nor valkey-server is installed, and js-redis-server, the imitation for development, is not either: ' +
        'install redis-server, or say where your Redis is with REDIS_URL=redis://host:6379',
      { cause },
    );
  }
}
