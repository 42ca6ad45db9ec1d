/** This file owns the list of all cases, in the order in which a whole run does them. */
import type { FaultCase } from '../case.ts';
import { redisKills } from './redis-kill.ts';
import { workerKill } from './worker-kill.ts';

export const CASES: readonly FaultCase[] = [...redisKills, workerKill];

export function findCase(id: string): FaultCase | undefined {
  return CASES.find((each) => each.id.toLowerCase() === id.toLowerCase());
}
