/** This file owns the durability under which a case enqueues, and what that makes of its verdict. */
import type { Invariant, Verdict } from './checker.ts';
import type { Lab } from './lab.ts';
import { sleep } from './random.ts';

export type Durability = 'memory' | 'replica';

const TRIES = 50;
const RETRY_MS = 200;

/** Queues are refused it until a replica can prove it. */
export async function setDurability(
  lab: Lab,
  queues: readonly string[],
  durability: Durability,
): Promise<void> {
  for (const queue of queues) {
    for (let tries = 1; ; tries += 1) {
      const json = { durability };
      const { status, body } = await lab.door.call(`/queues/${queue}/limits`, { method: 'PUT', json });
      if (status === 200) break;
      if (tries === TRIES) throw new Error(`${queue} was refused ${durability}: ${JSON.stringify(body)}`);
      await sleep(RETRY_MS);
    }
  }
}

/** Without proof some may be lost: how many is a finding of the case's own, and no longer an invariant. */
export function withoutProof(verdict: Verdict): Verdict {
  return { ...verdict, invariants: verdict.invariants.filter(({ id }: Invariant) => id !== 'I1') };
}
