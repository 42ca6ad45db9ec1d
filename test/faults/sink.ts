/** This file owns the sink as the harness sees it: its process, and what it was asked for. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cleaner, Program } from '../e2e/product.ts';

export interface SinkOptions {
  folder: string;
  /** An answer takes up to this long, so that kills hit requests under way. Default 0. */
  maxDelayMs?: number | undefined;
}

/** Of one key. */
export interface Effect {
  /** Epoch milliseconds of each call; the first is the effect. */
  calls: number[];
  /** Who called, as far as told. */
  jobs: Set<string>;
}

export class Sink {
  readonly port: number;
  readonly #path: string;

  private constructor(port: number, path: string) {
    this.port = port;
    this.#path = path;
  }

  static async open(t: Cleaner, { folder, maxDelayMs = 0 }: SinkOptions): Promise<Sink> {
    const path = join(folder, 'sink.ndjson');
    const script = join(import.meta.dirname, 'sink-process.ts');
    const args = ['--import', 'tsx', script, path, String(maxDelayMs)];
    const program = new Program(process.execPath, args, process.env, join(import.meta.dirname, '../..'));
    t.onTestFinished(() => program.kill());
    const [, port] = await program.says(/sink listening at (\d+)/);
    return new Sink(Number(port), path);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Calls that are on disk. */
  async calls(): Promise<number> {
    return ((await (await fetch(this.url)).json()) as { calls: number }).calls;
  }

  async effects(): Promise<Map<string, Effect>> {
    const effects = new Map<string, Effect>();
    for (const line of (await readFile(this.#path, 'utf8')).split('\n')) {
      if (line === '') continue;
      const { key, job, at } = JSON.parse(line) as { key: string; job?: string; at: number };
      const effect = effects.get(key) ?? { calls: [], jobs: new Set() };
      effect.calls.push(at);
      if (job !== undefined) effect.jobs.add(job);
      effects.set(key, effect);
    }
    return effects;
  }
}
