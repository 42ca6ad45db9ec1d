/** This file owns the list of all cases, in the order in which a whole run does them. */
import type { FaultCase } from '../case.ts';
import { apiRestart } from './api-restart.ts';
import { bootOrder } from './boot-order.ts';
import { clusterKill, clusterReshard } from './cluster.ts';
import { delayed } from './delayed.ts';
import { empty } from './empty.ts';
import { failovers } from './failover.ts';
import { idempotency } from './idempotency.ts';
import { mixed } from './mixed.ts';
import { outages } from './outages.ts';
import { redisKills } from './redis-kill.ts';
import { schedulers } from './schedulers.ts';
import { silence } from './silence.ts';
import { stop } from './stop.ts';
import { storage } from './storage.ts';
import { wedge } from './wedge.ts';
import { workerKill } from './worker-kill.ts';

export const CASES: readonly FaultCase[] = [
  stop,
  ...redisKills,
  outages,
  wedge,
  silence,
  ...failovers,
  clusterKill,
  clusterReshard,
  bootOrder,
  workerKill,
  delayed,
  schedulers,
  storage,
  empty,
  apiRestart,
  idempotency,
  mixed,
];

export function findCase(id: string): FaultCase | undefined {
  return CASES.find((each) => each.id.toLowerCase() === id.toLowerCase());
}
