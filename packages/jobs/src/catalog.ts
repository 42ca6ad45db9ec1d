/** This file owns which jobs a worker knows: by name, each once. */
import type { JobDefinition } from './define.ts';
import { jobFault } from './define.ts';

export interface CatalogEntry {
  readonly job: JobDefinition;
  /** Where it comes from, for messages: a file, or `built in`. */
  readonly origin: string;
  /** The module whose default export is the job; what a child process imports. */
  readonly module?: URL | undefined;
}

export class Catalog {
  // A Map: `constructor` and `__proto__` are names a client may send.
  readonly #entries = new Map<string, CatalogEntry>();

  /** Throws `TypeError` for what is not a job, for a second job of a name, and for isolation without a module. */
  constructor(entries: Iterable<CatalogEntry>) {
    for (const entry of entries) {
      const fault = jobFault(entry.job) ?? this.#clash(entry);
      if (fault !== undefined) throw new TypeError(`${entry.origin}: ${fault}`);
      this.#entries.set(entry.job.name, entry);
    }
  }

  find(name: string): CatalogEntry | undefined {
    return this.#entries.get(name);
  }

  /** Names, sorted. */
  names(): string[] {
    return [...this.#entries.keys()].sort();
  }

  #clash({ job, module }: CatalogEntry): string | undefined {
    const other = this.#entries.get(job.name);
    if (other)
      return `a job named '${job.name}' is already there, from ${other.origin}; give one of them another name`;
    if (job.isolation === 'process' && !module) {
      return `job '${job.name}' wants isolation 'process', which needs a module of its own with the job as default export`;
    }
    return undefined;
  }
}
