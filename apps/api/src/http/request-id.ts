/** This file owns the ids of requests: the caller's own, or one of ours. */
import { randomBytes } from 'node:crypto';

const REQUEST_ID = /^[\w-]{1,64}$/;
/** 144 random bits: processes never meet. */
const PROCESS = randomBytes(18).toString('base64url');
/** Hexadecimal numbers of the same length, in order: an id is no secret, and a random one costs a request 2 µs more. */
let last = 0x1000_0000_0000;

/** `given` when it is well-formed (contract.md §1), else a new one of 36 characters. */
export function requestIdOf(given: string | undefined): string {
  if (given !== undefined && REQUEST_ID.test(given)) return given;
  last += 1;
  return PROCESS + last.toString(16);
}
