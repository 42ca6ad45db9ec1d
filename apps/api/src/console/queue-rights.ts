/** This file owns which queues an operator sees and acts on in the console: those that he sees and acts on at the board. */
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import { BoardRights } from '../board/rights.ts';
import type { Need, Visit } from './page.ts';

/** Of whoever acts on any queue. */
export const ACT: Need = { area: 'board', verb: 'write' };

type By = Pick<Visit, 'operator'>;

export function seesQueue({ operator }: By, queue: string): boolean {
  return new BoardRights(operator).sees(queue);
}

export function actsOnQueue({ operator }: By, queue: string): boolean {
  return new BoardRights(operator).acts(queue);
}

/** The queue of the address. One that the operator does not see is told as absent: throws `queue_not_found`. */
export function queueOf(visit: Visit, queue: string = visit.params.queue ?? ''): string {
  if (seesQueue(visit, queue)) return queue;
  throw new DomainError<ErrorCode>('queue_not_found', `there is no queue ${queue}`);
}

/** The same, to act on it: throws `forbidden` as well. */
export function actingOn(visit: Visit, named?: string): string {
  const queue = queueOf(visit, named);
  if (actsOnQueue(visit, queue)) return queue;
  throw new DomainError<ErrorCode>('forbidden', `This needs the scope jobs:manage for '${queue}'.`);
}
