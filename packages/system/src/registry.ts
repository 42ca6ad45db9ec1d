/**
 * This file owns the records of an installation in memory, kept level with Redis: read as a whole, changed by one script.
 *
 * A change reaches the process that made it at once, and every other within `POLL_INTERVAL_MS` and a round trip. While
 * Redis is away the records known so far stand, and changes reject as ioredis does.
 */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import type { Log, Service } from '@sluice/runtime';
import { z } from 'zod';
import { systemKeys } from './keys.ts';
import { type Author, type Authorship, authorSchema, RECORD_KINDS, type RecordKind } from './schemas.ts';
import * as scripts from './scripts.ts';
import { MAX_TRAIL_ENTRIES, trailText } from './trail.ts';

/** Of the 2 s that are promised; the rest is for Redis, and for opening what is new. */
export const POLL_INTERVAL_MS = 500;
/** Of one record as JSON: some 10,000 overrides of a policy. */
export const MAX_RECORD_BYTES = 512 * 1_024;
/** Of all bodies, so that reading everything is one call of some 100 ms at worst. */
const MAX_BYTES = 16 * 1_048_576;
const MAX_FIELDS = 2_000;

export interface StoredRecord {
  kind: RecordKind;
  name: string;
  /** Another with every change; never used twice. */
  version: number;
  /** Milliseconds since the epoch, by Redis' clock. */
  createdAt: number;
  createdBy: Author;
  changedAt: number;
  changedBy: Author;
  /** As it was given to `change`. */
  body: unknown;
}

export interface Change {
  kind: RecordKind;
  name: string;
  /** The version it must be at; 0: it must not be there. */
  expected: number;
  /** `undefined`: it is removed. */
  body: unknown;
  /** `create`, `update`, `remove`. */
  action: string;
  /** For the trail, without secrets; `undefined`: none. */
  before: unknown;
  after: unknown;
}

/** `conflict`: these changes, by index, met another version. `full`: no more fits. Then nothing was changed. */
export type ChangeOutcome =
  | { kind: 'done'; records: (StoredRecord | undefined)[] }
  | { kind: 'conflict'; indexes: number[] }
  | { kind: 'full' };

const storedSchema = z.object({
  version: z.int().positive(),
  createdAt: z.int(),
  createdBy: z.string(),
  changedAt: z.int(),
  changedBy: z.string(),
  body: z.string(),
});

export class Registry implements Service {
  readonly name = 'system records';
  readonly #client: RedisClient;
  readonly #keys: ReturnType<typeof systemKeys>;
  readonly #log: Log | undefined;
  readonly #listeners: (() => void)[] = [];
  #records: ReadonlyMap<string, StoredRecord> = new Map();
  #stamp: string | undefined;
  #isLoaded = false;
  #isFailing = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;
  #loading: Promise<void> = Promise.resolve();
  readonly #onReady = () => void this.#poll();

  /** `client` has the profile `request` and stays its owner's. */
  constructor(options: { client: RedisClient; keys: Keyspace; log?: Log | undefined }) {
    this.#client = options.client;
    this.#keys = systemKeys(options.keys);
    this.#log = options.log;
  }

  /** False until the records have been read once: nobody can be told before that one is not there. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Called after every load that brought another state; what it throws is logged. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** As known here, by name. */
  list(kind: RecordKind): StoredRecord[] {
    return [...this.#records.values()]
      .filter((record) => record.kind === kind)
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Reads the records now when Redis is there, else as soon as it is; never rejects. */
  async start(): Promise<void> {
    this.#client.on('ready', this.#onReady);
    if (this.#client.status === 'ready') await this.#poll();
    else this.#pollLater();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#client.off('ready', this.#onReady);
    await this.#loading;
  }

  /** Level with Redis when it resolves, as far as Redis answers; never rejects. */
  refresh(): Promise<void> {
    return this.#enqueue(() => this.#look());
  }

  /** As Redis holds it now; `undefined` when there is none. */
  async read(kind: RecordKind, name: string): Promise<StoredRecord | undefined> {
    const text = await this.#client.hget(this.#keys.records, fieldOf(kind, name));
    return text === null ? undefined : readStored(fieldOf(kind, name), text);
  }

  /** All of it or none; each field at most once. What was changed is known here when it resolves. */
  async change(changes: readonly Change[], { author, requestId }: Authorship): Promise<ChangeOutcome> {
    const reply = (await scripts.changeRecords.run(this.#client, {
      keys: { records: this.#keys.records, trail: this.#keys.trail },
      args: {
        author: JSON.stringify(author),
        request: requestId ?? '',
        max_fields: MAX_FIELDS,
        max_bytes: MAX_BYTES,
        max_trail: MAX_TRAIL_ENTRIES,
      },
      moreArgs: changes.flatMap(({ kind, name, expected, body, action, before, after }) => [
        fieldOf(kind, name),
        expected,
        body === undefined ? '' : JSON.stringify(body),
        `${kind}.${action}`,
        trailText(before),
        trailText(after),
      ]),
    })) as [string, ...(string | number)[]];
    const [kind, ...rest] = reply;
    if (kind === 'conflict') return { kind, indexes: rest.map(Number) };
    if (kind === 'full') return { kind };
    await this.#enqueue(() => this.#load());
    return {
      kind: 'done',
      records: changes.map((change, index) => {
        const text = String(rest[index]);
        return text === '' ? undefined : readStored(fieldOf(change.kind, change.name), text);
      }),
    };
  }

  #poll(): Promise<void> {
    return this.refresh().finally(() => this.#pollLater());
  }

  async #look(): Promise<void> {
    const stamp = (await this.#client.hget(this.#keys.records, '@stamp')) ?? undefined;
    if (!this.#isLoaded || stamp !== this.#stamp) await this.#load();
  }

  #pollLater(): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(this.#onReady, POLL_INTERVAL_MS).unref();
  }

  /** One load at a time, so that an older answer cannot overtake a newer. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#loading = this.#loading.then(work).then(
      () => {
        this.#isFailing = false;
      },
      (error: unknown) => {
        if (!this.#isFailing) this.#log?.warn({ error }, 'system records not read');
        this.#isFailing = true;
      },
    );
    return this.#loading;
  }

  async #load(): Promise<void> {
    const fields = await this.#client.hgetall(this.#keys.records);
    const records = new Map<string, StoredRecord>();
    for (const [field, text] of Object.entries(fields)) {
      if (field.startsWith('@')) continue;
      const record = readStored(field, text);
      if (record) records.set(field, record);
      else this.#log?.error({ field }, 'system record not readable');
    }
    this.#records = records;
    this.#stamp = fields['@stamp'];
    this.#isLoaded = true;
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#log?.error({ error }, 'system records not applied');
      }
    }
  }
}

function fieldOf(kind: RecordKind, name: string): string {
  return `${kind}:${name}`;
}

/** `undefined` for what is no record of ours: Redis is shared. */
function readStored(field: string, text: string): StoredRecord | undefined {
  const kind = RECORD_KINDS.find((each) => field.startsWith(`${each}:`));
  if (!kind) return undefined;
  try {
    const { version, createdAt, createdBy, changedAt, changedBy, body } = storedSchema.parse(
      JSON.parse(text),
    );
    return {
      kind,
      name: field.slice(kind.length + 1),
      version,
      createdAt,
      createdBy: authorSchema.parse(JSON.parse(createdBy)),
      changedAt,
      changedBy: authorSchema.parse(JSON.parse(changedBy)),
      body: JSON.parse(body),
    };
  } catch {
    return undefined;
  }
}
