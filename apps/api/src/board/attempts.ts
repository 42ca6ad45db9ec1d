/** This file owns the bound on wrong keys: so many from one address in so much time, then nobody from there is let in. */
import { isIPv6 } from 'node:net';
import type { Clock } from '@sluice/runtime';

export const MAX_FAILURES = 10;
export const WINDOW_MS = 15 * 60_000;
/** When so many addresses have failed, those that come after share one count: closed rather than open. */
export const MAX_ADDRESSES = 10_000;
const OVERFLOW = 'everybody else';

interface Count {
  failures: number;
  endsAt: number;
}

/** In this process and in memory: a restart forgets. A right key does not clear the count, or a guesser could. */
export class FailedAttempts {
  readonly #clock: Clock;
  /** The window that ends first comes first. */
  readonly #counts = new Map<string, Count>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until this address may try again; 0: it may now. */
  waitMs(address: string | undefined): number {
    const count = this.#count(address);
    return count && count.failures >= MAX_FAILURES ? count.endsAt - this.#clock.monotonicMs() : 0;
  }

  add(address: string | undefined): void {
    this.#forgetEnded();
    const known = this.#count(address);
    if (known) {
      known.failures += 1;
      return;
    }
    const network = networkOf(address);
    const name = this.#counts.size < MAX_ADDRESSES ? network : OVERFLOW;
    this.#counts.set(name, { failures: 1, endsAt: this.#clock.monotonicMs() + WINDOW_MS });
  }

  #count(address: string | undefined): Count | undefined {
    const own = this.#counts.get(networkOf(address));
    const count = own ?? (this.#counts.size < MAX_ADDRESSES ? undefined : this.#counts.get(OVERFLOW));
    return count && count.endsAt > this.#clock.monotonicMs() ? count : undefined;
  }

  #forgetEnded(): void {
    const now = this.#clock.monotonicMs();
    for (const [name, { endsAt }] of this.#counts) {
      if (endsAt > now) return;
      this.#counts.delete(name);
    }
  }
}

/** Whoever has one IPv6 address has the /64 around it. An IPv4 address within IPv6 (::ffff:1.2.3.4) is that IPv4 address. */
function networkOf(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('%', 1)[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(8 - left.length - right.length, 0)).fill('0');
  return [...left, ...zeros, ...right].slice(0, 4).join(':');
}
