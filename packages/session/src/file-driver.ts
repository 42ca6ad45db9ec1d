/**
 * This file owns sessions on disk: one JSON file a user, replaced whole, so that a reader sees the old or the new state
 * and a crash leaves one of them. Changes to one user take turns in this process and, by a lock file, between processes.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, opendir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Clock, FileLock, systemClock } from '@sluice/runtime';
import type { Creation, Deed, NewSession, SessionDriver, SessionRecord, Verdict } from './driver.ts';
import {
  enter,
  isNeeded,
  isReading,
  judge,
  type Ledger,
  liveSessions,
  newLedger,
  strikeAll,
} from './ledger.ts';
import { sessionError } from './session.ts';
import type { PresentedToken, SessionAddress } from './token.ts';

const FILES_PER_PAGE = 500;
/** A file of one user; all others are drafts and locks. */
const LEDGER = /^[\da-f]{24}\.json$/;
/** No change takes so long. */
const LEFTOVER_AFTER_MS = 3_600_000;

export class FileSessionDriver implements SessionDriver {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #lock = new FileLock();

  /** `directory` is made when first written to, for this user alone (0700). */
  constructor(options: { directory: string; clock?: Clock }) {
    this.#directory = options.directory;
    this.#clock = options.clock ?? systemClock;
  }

  create(session: NewSession): Promise<Creation> {
    return this.#change(session.place.user, (ledger, nowMs) => enter(ledger, session, nowMs));
  }

  async present(token: PresentedToken, deed: Deed): Promise<Verdict> {
    const ledger = await this.#load(token.user);
    if (!ledger) return { kind: 'absent' };
    const nowMs = this.#clock.now();
    if (isReading(ledger, token, deed, nowMs)) return judge(ledger, token, deed, nowMs);
    return this.#change(token.user, (current, changedAtMs) => judge(current, token, deed, changedAtMs));
  }

  async list(user: string, { withData = false }: { withData?: boolean } = {}): Promise<SessionRecord[]> {
    const ledger = await this.#load(user);
    const live = ledger ? liveSessions(ledger, this.#clock.now()) : [];
    return withData ? live : live.map((record) => ({ ...record, data: '' }));
  }

  async generation(user: string): Promise<number> {
    return (await this.#load(user))?.generation ?? 0;
  }

  revoke({ user, id }: SessionAddress): Promise<boolean> {
    return this.#change(user, (ledger) => {
      const isListed = ledger.sessions[id] !== undefined;
      delete ledger.sessions[id];
      return isListed;
    });
  }

  revokeAll(user: string, memoryMs: number): Promise<number> {
    return this.#change(user, (ledger, nowMs) => strikeAll(ledger, memoryMs, nowMs));
  }

  async *users(): AsyncIterable<string[]> {
    let page: string[] = [];
    for await (const path of this.#files()) {
      if (!LEDGER.test(basename(path))) continue;
      page.push(userOf(path));
      if (page.length < FILES_PER_PAGE) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  /**
   * Removes the files of users whose sessions have all expired, and what a process that died in the middle left; answers
   * how many users. Nothing else does: call it now and then.
   */
  async sweep(): Promise<number> {
    let removed = 0;
    for await (const path of this.#files()) {
      if (!LEDGER.test(basename(path))) {
        await unlinkLeftover(path, this.#clock.now());
        continue;
      }
      const user = userOf(path);
      const ledger = await this.#load(user);
      if (!ledger || isNeeded(ledger, this.#clock.now())) continue;
      await this.#change(user, () => undefined);
      removed += 1;
    }
    return removed;
  }

  /** Runs `change` on the user's ledger, alone, and stores what it left; a ledger that nobody needs is removed. */
  async #change<T>(user: string, change: (ledger: Ledger, nowMs: number) => T): Promise<T> {
    const path = this.#pathOf(user);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return this.#lock.hold(`${path}.lock`, async (lock) => {
      const ledger = (await this.#load(user)) ?? newLedger();
      const nowMs = this.#clock.now();
      const result = change(ledger, nowMs);
      if (!(await lock.isHeld())) {
        throw sessionError(
          'storage_busy',
          "The lock of this user's sessions was lost before the change was written.",
        );
      }
      if (isNeeded(ledger, nowMs)) await writeWhole(path, JSON.stringify(ledger));
      else await unlinkIfThere(path);
      return result;
    });
  }

  async #load(user: string): Promise<Ledger | undefined> {
    try {
      return JSON.parse(await readFile(this.#pathOf(user), 'utf8')) as Ledger;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Hex, since some file systems do not tell `A` from `a`; 256 directories, so that none grows long. */
  #pathOf(user: string): string {
    const name = Buffer.from(user, 'base64url').toString('hex');
    return join(this.#directory, name.slice(0, 2), `${name}.json`);
  }

  async *#files(): AsyncGenerator<string> {
    try {
      for await (const shard of await opendir(this.#directory)) {
        if (!shard.isDirectory()) continue;
        const directory = join(this.#directory, shard.name);
        for await (const entry of await opendir(directory)) {
          yield join(directory, entry.name);
        }
      }
    } catch (error) {
      // No directory, no sessions.
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    }
  }
}

function userOf(path: string): string {
  return Buffer.from(basename(path, '.json'), 'hex').toString('base64url');
}

async function unlinkLeftover(path: string, nowMs: number): Promise<void> {
  try {
    if ((await stat(path)).mtimeMs < nowMs - LEFTOVER_AFTER_MS) await unlink(path);
  } catch (error) {
    // It was a live one after all, and is gone already.
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
  }
}

/** Replaces the file in one step. Synced before and after, so that a revocation outlives a power failure. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await unlinkIfThere(draft);
    throw error;
  }
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
  }
}
