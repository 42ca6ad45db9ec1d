/** This file owns the Redis of `sluice up` when the environment names none. */
import { type EmbeddedRedis, startEmbeddedRedis } from '@sluice/redis/embedded';
import { DatasetMemory } from '@sluice/system';
import type { MemberRun } from './member.ts';
import type { Screen } from './screen.ts';

export class OwnRedis {
  readonly #directory: string;
  readonly #dataDirectory: string;
  readonly #screen: Screen;
  #redis: EmbeddedRedis | undefined;

  /** `directory` is its own, `dataDirectory` where the apps keep what they remember of it. */
  constructor(options: { directory: string; dataDirectory: string; screen: Screen }) {
    this.#directory = options.directory;
    this.#dataDirectory = options.dataDirectory;
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
    if (redis.kind === 'in-process') {
      this.#screen.say(`! ${redis.warning}`);
      for (const role of ['queue', 'session'])
        await new DatasetMemory({ directory: this.#dataDirectory, role }).forget();
    }
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
