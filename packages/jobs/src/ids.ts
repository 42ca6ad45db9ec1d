/** This file owns the making of job ids: `j_` and a ULID, so that ids sort by time and never meet a key of BullMQ. */
import { randomFillSync } from 'node:crypto';

/** Crockford's base 32: no I, L, O, U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_CHARACTERS = 10;
const RANDOM_CHARACTERS = 16;

/** Asking the system for randomness once per 256 ids costs a fiftieth of asking for each. */
const pool = Buffer.alloc(RANDOM_CHARACTERS * 256);
let used = pool.length;
let lastTime = -1;
let lastTimeText = '';

/** `j_` + 48 bits of milliseconds + 80 random bits. `now` in milliseconds since the epoch. */
export function newJobId(now: number): string {
  if (now !== lastTime) {
    lastTime = now;
    lastTimeText = encodeTime(now);
  }
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  let id = `j_${lastTimeText}`;
  // A byte holds 256 = 8 × 32 values, so its low five bits are as even as itself.
  for (const end = used + RANDOM_CHARACTERS; used < end; used += 1)
    id += ALPHABET.charAt((pool[used] as number) & 31);
  return id;
}

function encodeTime(now: number): string {
  let rest = now;
  let text = '';
  for (let index = 0; index < TIME_CHARACTERS; index += 1) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}
