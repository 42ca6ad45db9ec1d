/** This file owns what an operator may see and do on the board: by role, and by queue as the API has it. */
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { AccountRole } from '@sluice/system';
import type { Operator } from '../admin/operator.ts';

/** Each may what those before it may. */
const RANKS: readonly AccountRole[] = ['viewer', 'operator', 'admin'];

export class BoardRights {
  readonly #operator: Operator;

  constructor(operator: Operator) {
    this.#operator = operator;
  }

  /** Queues that it may not read are not there for it, in lists and counts as in addresses. */
  sees(queue: string): boolean {
    return this.#operator.grants.allows('jobs', 'read', queue);
  }

  /** May change what is in this queue. */
  acts(queue: string): boolean {
    const { grants } = this.#operator;
    return grants.allows('board', 'write') && grants.allows('jobs', 'manage', queue);
  }

  /** Throws `forbidden` below this role. */
  require(role: AccountRole): void {
    const { role: held } = this.#operator;
    if (RANKS.indexOf(held) >= RANKS.indexOf(role)) return;
    throw new DomainError<ErrorCode>('forbidden', `This takes the role ${role}; you have the role ${held}.`);
  }

  /** Throws `forbidden` when it sees this queue and may not change what is in it. One that it does not see is told as absent. */
  requireAction(queue: string | undefined, verb: 'manage' | 'enqueue'): void {
    if (queue === undefined || !this.sees(queue)) return;
    if (this.#operator.grants.allows('jobs', verb, queue)) return;
    throw new DomainError<ErrorCode>('forbidden', `This needs the scope jobs:${verb} for '${queue}'.`);
  }
}
