/** This file owns what is remembered of a Redis' data outside of it: a small file in the data folder, so that a restart of everything does not forget. */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const datasetSchema = z.object({
  /** Which Redis and prefix it was: another one is a choice, no loss. */
  target: z.string(),
  epoch: z.string(),
  /** Milliseconds by Redis' clock. */
  adoptedAt: z.number(),
});
export type Dataset = z.infer<typeof datasetSchema>;

export class DatasetMemory {
  readonly #directory: string;
  readonly #file: string;

  constructor(options: { directory: string; role: string }) {
    this.#directory = options.directory;
    this.#file = join(options.directory, `dataset-${options.role}.json`);
  }

  /** `undefined` when nothing readable is remembered of this target. */
  async read(target: string): Promise<Dataset | undefined> {
    try {
      const dataset = datasetSchema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
      return dataset.target === target ? dataset : undefined;
    } catch {
      // None yet, or not ours to read: then this process remembers for as long as it lives.
      return undefined;
    }
  }

  /** For a Redis that is known to begin empty. */
  async forget(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  /** Rejects when the folder cannot be written. */
  async write(dataset: Dataset): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const draft = `${this.#file}.${process.pid}`;
    await writeFile(draft, `${JSON.stringify(dataset)}\n`, { mode: 0o600 });
    await rename(draft, this.#file);
  }
}
