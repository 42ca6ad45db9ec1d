/** This file owns where alerts stand, in Redis: what survives a restart, and who of several processes may change it. */
import { randomUUID } from 'node:crypto';
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { systemKeys } from './keys.ts';
import { type AlertState, alertStateSchema } from './schemas.ts';
import { claimAlerts, writeAlerts } from './scripts.ts';

const COUNTS = '@counts';
/** Fields of one call: Redis works on them for about a millisecond, and Lua's stack holds them. */
const MAX_FIELDS = 1_000;

export interface StandingAlert {
  alert: string;
  /** A queue or a connection to Redis. */
  subject: string;
  state: AlertState;
}

export interface AlertStand {
  /** By Redis' clock. */
  nowMs: number;
  /** By `standKey`. */
  states: Map<string, AlertState>;
  /** What the look before has left behind, as it was given to `write`; `undefined` at the first. */
  counts: unknown;
}

export class AlertStates {
  readonly #client: RedisClient;
  readonly #keys: ReturnType<typeof systemKeys>;
  readonly #token = randomUUID();

  /** `client` has the profile `request`. */
  constructor(options: { client: RedisClient; keys: Keyspace }) {
    this.#client = options.client;
    this.#keys = systemKeys(options.keys);
  }

  /** Makes this process the one that looks after alerts, for `leaseMs` from now; `undefined` when another does. */
  async claim(leaseMs: number): Promise<AlertStand | undefined> {
    const reply = (await claimAlerts.run(this.#client, {
      keys: this.#keys,
      args: { token: this.#token, lease_ms: leaseMs },
    })) as [string, string[]] | null;
    if (!reply) return undefined;
    const [now, pairs] = reply;
    const fields = new Map<string, string>();
    for (let at = 0; at < pairs.length; at += 2) fields.set(pairs[at] as string, pairs[at + 1] as string);
    return { nowMs: Number(now), states: statesOf(fields), counts: parsed(fields.get(COUNTS) ?? '') };
  }

  /** Lets another process do it, if this one did. */
  async release(): Promise<void> {
    await claimAlerts.run(this.#client, { keys: this.#keys, args: { token: this.#token, lease_ms: 0 } });
  }

  /** `undefined` forgets a state. False when another process looks after alerts by now: then nothing more is written. */
  async write(states: ReadonlyMap<string, AlertState | undefined>, counts: unknown): Promise<boolean> {
    const fields = [...states].map(([key, state]) => [key, state === undefined ? '' : JSON.stringify(state)]);
    fields.push([COUNTS, JSON.stringify(counts)]);
    for (let from = 0; from < fields.length; from += MAX_FIELDS) {
      const wrote = await writeAlerts.run(this.#client, {
        keys: this.#keys,
        args: { token: this.#token },
        moreArgs: fields.slice(from, from + MAX_FIELDS).flat(),
      });
      if (wrote !== 1) return false;
    }
    return true;
  }

  /** As they stand, for whoever looks on; by alert and subject. */
  async list(): Promise<StandingAlert[]> {
    const fields = new Map(Object.entries(await this.#client.hgetall(this.#keys.alerts)));
    return [...statesOf(fields)]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, state]) => ({ ...standOf(key), state }));
  }
}

/** The names of alerts hold no `|`. */
export function standKey(alert: string, subject: string): string {
  return `${alert}|${subject}`;
}

export function standOf(key: string): { alert: string; subject: string } {
  const at = key.indexOf('|');
  return { alert: key.slice(0, at), subject: key.slice(at + 1) };
}

/** What a later version may have written and this one cannot read is left out. */
function statesOf(fields: ReadonlyMap<string, string>): Map<string, AlertState> {
  const states = new Map<string, AlertState>();
  for (const [key, text] of fields) {
    const state = key.startsWith('@') ? undefined : alertStateSchema.safeParse(parsed(text));
    if (state?.success) states.set(key, state.data);
  }
  return states;
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
