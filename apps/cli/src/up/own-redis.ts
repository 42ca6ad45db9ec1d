/** This file owns the Redis of `sluice up` when the environment names none. */
import { type EmbeddedRedis, startEmbeddedRedis } from '@sluice/redis/embedded';
import type { MemberRun } from './member.ts';
import type { Screen } from './screen.ts';

export class OwnRedis {
  readonly #directory: string;
  readonly #screen: Screen;
  #redis: EmbeddedRedis | undefined;

  constructor(options: { directory: string; screen: Screen }) {
    this.#directory = options.directory;
    this.#screen = options.screen;
  }

  /** Starts it, or starts it again where the apps look for it: elsewhere they would not find it. */
  async run(): Promise<MemberRun> {
    const before = this.#redis;
    const redis = await startEmbeddedRedis({
      directory: this.#directory,
      onProgress: (step) => this.#screen.say(`• ${step}`),
    });
    if (before && before.url !== redis.url) {
      await redis.stop();
      throw new Error(`its port ${before.port} was taken meanwhile`);
    }
    this.#redis = redis;
    if (redis.kind === 'in-process') this.#screen.say(`! ${redis.warning}`);
    return { ended: redis.ended, stop: () => redis.stop() };
  }

  /** After the first `run`. */
  get url(): string {
    return this.#started.url;
  }

  /** What and where it is, and what it is not. */
  describe(): string[] {
    const { kind, version, port, warning } = this.#started;
    const place = `127.0.0.1:${port}`;
    if (kind === 'in-process')
      return [`imitated in this process, on ${place}; all data are lost when it stops`];
    return [`${kind} ${version} on ${place}, data in ${this.#directory}`, warning];
  }

  get #started(): EmbeddedRedis {
    if (!this.#redis) throw new TypeError('Redis has not been started');
    return this.#redis;
  }
}
