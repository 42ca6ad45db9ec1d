/** This file owns faults at the socket: a TCP proxy before a Redis whose connections can be made to fall silent. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import type { StandaloneConfig } from '@sluice/config';
import type { TestContext } from '@sluice/redis/testing';

export interface RedisProxy {
  config: StandaloneConfig;
  /** Connections that have sent `command` stay open and are no longer answered. */
  silence(command: string): void;
  /** From now on every answer takes this much longer. */
  slowDown(delayMs: number): void;
  /** This many of the next connections are accepted and never answered. */
  silenceNext(connections: number): void;
}

export async function redisProxy(t: TestContext, target: StandaloneConfig): Promise<RedisProxy> {
  const pairs = new Set<{ client: Socket; redis: Socket; sent: string }>();
  let silentConnections = 0;
  let answerDelayMs = 0;
  const server: Server = createServer((client) => {
    const redis = connect(target.port, target.host);
    const pair = { client, redis, sent: '' };
    pairs.add(pair);
    const end = () => {
      client.destroy();
      redis.destroy();
      pairs.delete(pair);
    };
    for (const socket of [client, redis]) socket.on('error', end).on('close', end);
    if (silentConnections > 0) {
      silentConnections -= 1;
      return void client.resume();
    }
    client.on('data', (bytes) => {
      pair.sent = (pair.sent + bytes.toString('latin1')).slice(-2_000);
    });
    const slowly = new Transform({
      transform: (bytes, _encoding, done) => void setTimeout(() => done(null, bytes), answerDelayMs),
    });
    client.pipe(redis).pipe(slowly).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.onTestFinished(() => {
    for (const { client, redis } of pairs) {
      client.destroy();
      redis.destroy();
    }
    server.close();
  });
  return {
    config: { ...target, port: (server.address() as { port: number }).port },
    silence(command) {
      for (const { redis, sent } of pairs)
        if (sent.toLowerCase().includes(`\r\n${command}\r\n`)) redis.unpipe();
    },
    slowDown(delayMs) {
      answerDelayMs = delayMs;
    },
    silenceNext(connections) {
      silentConnections = connections;
    },
  };
}
