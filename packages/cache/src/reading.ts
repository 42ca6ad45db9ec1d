/** This file owns the way from stored bytes to an entry: whether it is stale, whether a tag of it was purged, its text. */
import type { CacheDriver } from './driver.ts';
import { CacheEntry, etagOf } from './entry.ts';
import { type Frame, frameText, isFrame, readFrame } from './frame.ts';
import type { Near } from './near.ts';

export class EntryReader {
  readonly #driver: CacheDriver;
  readonly #near: Near | undefined;

  constructor(options: { driver: CacheDriver; near: Near | undefined }) {
    this.#driver = options.driver;
    this.#near = options.near;
  }

  /** From the store; kept near when there is such a place. */
  async fetch(key: string): Promise<CacheEntry | undefined> {
    const near = this.#near;
    if (!near) return this.open(key, await this.#driver.read(key));
    const version = near.version(key);
    const [stored, [leftMs]] = await Promise.all([this.#driver.read(key), this.#driver.ttls([key])]);
    const entry = await this.open(key, stored);
    if (entry && !entry.isStale && leftMs !== undefined) {
      near.keep(key, entry, leftMs === null ? null : leftMs - entry.graceSeconds * 1_000, version);
    }
    return entry;
  }

  /** A plain value costs nothing more than its text; a frame may cost one more round trip for its TTL and its tags. */
  open(key: string, stored: Buffer | null): CacheEntry | undefined | Promise<CacheEntry | undefined> {
    if (stored === null) return undefined;
    if (!isFrame(stored)) return new CacheEntry(stored, stored.toString());
    return this.#openFrames([key], [stored]).then(([entry]) => entry);
  }

  /** What was just removed: its TTL is gone with it, so it counts as fresh. */
  async openTaken(stored: Buffer | null): Promise<CacheEntry | undefined> {
    if (stored === null) return undefined;
    if (!isFrame(stored)) return new CacheEntry(stored, stored.toString());
    const frame = readFrame(stored);
    const [isLive] = await this.#live([frame]);
    return isLive ? new CacheEntry(stored, await frameText(frame), false, frame) : undefined;
  }

  /** In the order of `keys`; all frames among them together cost one more round trip. */
  async openMany(
    keys: readonly string[],
    stored: readonly (Buffer | null)[],
  ): Promise<(CacheEntry | undefined)[]> {
    const framedAt = stored.flatMap((bytes, at) => (bytes && isFrame(bytes) ? [at] : []));
    const entries = stored.map((bytes) =>
      bytes && !isFrame(bytes) ? new CacheEntry(bytes, bytes.toString()) : undefined,
    );
    if (framedAt.length === 0) return entries;
    const framed = await this.#openFrames(
      framedAt.map((at) => keys[at] as string),
      framedAt.map((at) => stored[at] as Buffer),
    );
    for (const [index, at] of framedAt.entries()) entries[at] = framed[index];
    return entries;
  }

  /** Removes what a purge has voided among the entries of `keys`; true when there was such a one. */
  async bury(keys: readonly string[]): Promise<boolean> {
    const stored = await this.#driver.readMany(keys);
    const opened = await this.openMany(keys, stored);
    const removals = keys.flatMap((key, at) => {
      const bytes = stored[at];
      return bytes && !opened[at] ? [this.#driver.remove(key, [etagOf(bytes)])] : [];
    });
    return (await Promise.all(removals)).includes('removed');
  }

  async #openFrames(keys: readonly string[], stored: readonly Buffer[]): Promise<(CacheEntry | undefined)[]> {
    const frames = stored.map(readFrame);
    const [stale, live] = await Promise.all([this.#stale(keys, frames), this.#live(frames)]);
    return await Promise.all(
      frames.map(async (frame, at) => {
        if (!live[at]) return undefined;
        const text = await frameText(frame);
        return new CacheEntry(stored[at] as Buffer, text, stale[at] ?? false, frame);
      }),
    );
  }

  /** Judged by what is left of the store's own TTL, so that no two clocks are compared. */
  async #stale(keys: readonly string[], frames: readonly Frame[]): Promise<boolean[]> {
    if (frames.every(({ graceMs }) => graceMs === 0)) return frames.map(() => false);
    const left = await this.#driver.ttls(keys);
    return frames.map(({ graceMs }, at) => {
      const leftMs = left[at];
      // Gone since it was read: it was as stale as can be.
      return graceMs > 0 && leftMs !== null && (leftMs ?? 0) <= graceMs;
    });
  }

  /** An entry lives while each of its tags still has the generation it bears. */
  async #live(frames: readonly Frame[]): Promise<boolean[]> {
    const names = [...new Set(frames.flatMap(({ tags }) => tags.map(([tag]) => tag)))];
    if (names.length === 0) return frames.map(() => true);
    const read = await this.#driver.tags.read(names);
    const generations = new Map(names.map((name, at) => [name, read[at]]));
    return frames.map(({ tags }) => tags.every(([tag, generation]) => generations.get(tag) === generation));
  }
}
