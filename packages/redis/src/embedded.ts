/** This file owns a Redis of our own for whoever has none: found on PATH and run as a child, or in this process. */
export interface EmbeddedRedis {
  readonly url: string;
  readonly kind: 'redis-server' | 'valkey-server' | 'js-redis-server';
  stop(): Promise<void>;
}
