/** This file owns the wiring of the one way in to the console and the board. */
import type { Keyspace } from '@sluice/config';
import type { ClientAddress } from '@sluice/rate-limit';
import type { RedisClient } from '@sluice/redis';
import { type Clock, type Log, systemClock } from '@sluice/runtime';
import type { Registry } from '@sluice/system';
import { Accounts } from './accounts.ts';
import { FailedAttempts } from './attempts.ts';
import { Gate, type Keys } from './gate.ts';
import { OperatorSessions } from './operator-sessions.ts';

export interface EntranceOptions {
  keyRing: Keys;
  registry: Registry;
  /** Of the queue's Redis. */
  client: RedisClient;
  keys: Keyspace;
  /** 32 bytes, used for nothing else. */
  secret: Buffer;
  /** Whose address a request came from, for the bound on wrong tries. */
  clientAddress: ClientAddress;
  log: Log;
  clock?: Clock;
  idleMs?: number;
  absoluteMs?: number;
}

export interface EntranceParts {
  gate: Gate;
  sessions: OperatorSessions;
}

export function openEntrance(options: EntranceOptions): EntranceParts {
  const { keyRing, registry, clientAddress, clock = systemClock } = options;
  const sessions = new OperatorSessions(options);
  const gate = new Gate({
    keys: keyRing,
    accounts: new Accounts(registry),
    sessions,
    attempts: new FailedAttempts(clock),
    clientAddress,
  });
  return { gate, sessions };
}
