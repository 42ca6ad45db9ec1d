/** This file owns tags on disk: one record a tag, which expires when no entry can bear it any more. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '@sluice/runtime';
import type { TagStore } from './driver.ts';
import { eachBounded } from './file-each.ts';
import { type FileTable, shelfOf } from './file-table.ts';
import type { ShelfLock } from './shelf-lock.ts';

const GENERATION_BYTES = 12;

export class FileTags implements TagStore {
  readonly #tags: FileTable;
  readonly #lock: ShelfLock;
  readonly #clock: Clock;

  constructor(options: { tags: FileTable; lock: ShelfLock; clock: Clock }) {
    this.#tags = options.tags;
    this.#lock = options.lock;
    this.#clock = options.clock;
  }

  open(tags: readonly string[], ttlMs: number): Promise<string[]> {
    const expiresAt = this.#clock.now() + ttlMs;
    return eachBounded(tags, (tag) =>
      this.#lock.hold(shelfOf(tag), async () => {
        const present = await this.#tags.read(tag);
        const generation = present?.bytes.toString() ?? randomBytes(GENERATION_BYTES).toString('base64url');
        if (!present || (present.expiresAt ?? 0) < expiresAt)
          await this.#tags.write(tag, generation, expiresAt);
        return generation;
      }),
    );
  }

  read(tags: readonly string[]): Promise<(string | undefined)[]> {
    return eachBounded(tags, async (tag) => (await this.#tags.read(tag))?.bytes.toString());
  }

  async close(tags: readonly string[]): Promise<number> {
    const closed = await eachBounded(tags, (tag) =>
      this.#lock.hold(shelfOf(tag), async () => {
        const present = await this.#tags.read(tag);
        await this.#tags.remove(tag);
        return present !== null;
      }),
    );
    return closed.filter(Boolean).length;
  }
}
