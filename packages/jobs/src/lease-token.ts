/**
 * This file owns the text that stands for a lease: what it says, and the proof that we said it. It is kept nowhere, so any
 * process with the secret can serve it; whether the lease still holds is known to Redis alone, by its lock.
 *
 *   base64url( HMAC-SHA256, first 16 bytes | JSON [queue, job id, token of its lock, attempt, lease ms, holder] )
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { DomainError } from '@sluice/runtime';
import type { JobsErrorCode } from './schemas.ts';

export interface LeaseFacts {
  readonly queue: string;
  readonly jobId: string;
  /** Of BullMQ's lock of the job; nobody outside ever sees it by itself. */
  readonly token: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** For a heartbeat that names none. */
  readonly leaseMs: number;
  /** Who took it. */
  readonly holder: string;
}

/** 2^-128 is the chance of a guess (RFC 2104 §5: no less than half the digest). */
const MAC_BYTES = 16;
/** BullMQ takes the token '0' for "no lock needed"; ours are never that short. */
const LOCK_TOKEN_BYTES = 16;

/** A token for the locks of the jobs of one call. */
export function newLockToken(): string {
  return randomBytes(LOCK_TOKEN_BYTES).toString('base64url');
}

export class LeaseMint {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  mint({ queue, jobId, token, attempt, leaseMs, holder }: LeaseFacts): string {
    const payload = Buffer.from(JSON.stringify([queue, jobId, token, attempt, leaseMs, holder]));
    return Buffer.concat([this.#mac(payload), payload]).toString('base64url');
  }

  /** Throws `lease_refused` for what was not minted here for this holder. */
  read(text: string, holder: string): LeaseFacts {
    const facts = this.#verified(text);
    if (facts?.holder === holder) return facts;
    throw new DomainError<JobsErrorCode>(
      'lease_refused',
      facts ? 'this lease was taken with another key' : 'this is no lease of ours',
    );
  }

  #verified(text: string): LeaseFacts | undefined {
    const bytes = Buffer.from(text, 'base64url');
    // Decoders pass over what is no base64url, and over the last bits: one lease has one spelling.
    if (bytes.length <= MAC_BYTES || bytes.toString('base64url') !== text) return undefined;
    const payload = bytes.subarray(MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.#mac(payload))) return undefined;
    const [queue, jobId, token, attempt, leaseMs, holder] = JSON.parse(payload.toString()) as [
      string,
      string,
      string,
      number,
      number,
      string,
    ];
    return { queue, jobId, token, attempt, leaseMs, holder };
  }

  #mac(payload: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update(payload).digest().subarray(0, MAC_BYTES);
  }
}
