/** This file owns what each algorithm means, in as few lines as possible; the model test holds the Lua to it. */

export interface Reference {
  /** Milliseconds until `cost` fits: 0 it fits, -1 it never will. */
  retry(nowMs: number, cost: number): number;
  add(nowMs: number, cost: number): void;
  giveBack(nowMs: number, cost: number, takenAtMs: number | undefined): void;
  remaining(nowMs: number): number;
}

export class FixedReference implements Reference {
  #count = 0;
  #endsAtMs = 0;
  readonly limit: number;
  readonly periodMs: number;

  constructor(limit: number, periodMs: number) {
    this.limit = limit;
    this.periodMs = periodMs;
  }

  #turn(nowMs: number) {
    if (this.#count === 0 || nowMs >= this.#endsAtMs) {
      this.#count = 0;
      this.#endsAtMs = nowMs + this.periodMs;
    }
  }

  retry(nowMs: number, cost: number) {
    this.#turn(nowMs);
    if (this.#count + cost <= this.limit) return 0;
    return cost > this.limit ? -1 : this.#endsAtMs - nowMs;
  }

  add(nowMs: number, cost: number) {
    this.#turn(nowMs);
    this.#count += cost;
  }

  giveBack(nowMs: number, cost: number, takenAtMs = nowMs) {
    this.#turn(nowMs);
    if (takenAtMs >= this.#endsAtMs - this.periodMs) this.#count = Math.max(this.#count - cost, 0);
  }

  remaining(nowMs: number) {
    this.#turn(nowMs);
    return Math.max(this.limit - this.#count, 0);
  }
}

/** Keeps every single charge, as if it had happened at the end of its slice. */
export class SlidingReference implements Reference {
  #charges: { slice: number; leavesAtMs: number }[] = [];
  readonly limit: number;
  readonly periodMs: number;

  constructor(limit: number, periodMs: number) {
    this.limit = limit;
    this.periodMs = periodMs;
  }

  #slice(ms: number) {
    return Math.floor(ms / Math.ceil(this.periodMs / 20));
  }

  #held(nowMs: number) {
    this.#charges = this.#charges.filter(({ leavesAtMs }) => leavesAtMs > nowMs);
    return this.#charges;
  }

  retry(nowMs: number, cost: number) {
    const over = this.#held(nowMs).length + cost - this.limit;
    if (over <= 0) return 0;
    return cost > this.limit ? -1 : (this.#charges[over - 1]?.leavesAtMs ?? Number.NaN) - nowMs;
  }

  add(nowMs: number, cost: number) {
    const slice = this.#slice(nowMs);
    const leavesAtMs = (slice + 1) * Math.ceil(this.periodMs / 20) + this.periodMs;
    this.#held(nowMs);
    for (let i = 0; i < cost; i += 1) this.#charges.push({ slice, leavesAtMs });
  }

  giveBack(nowMs: number, cost: number, takenAtMs: number | undefined) {
    for (let i = 0; i < cost; i += 1) {
      const isIt = ({ slice }: { slice: number }) =>
        takenAtMs === undefined || slice === this.#slice(takenAtMs);
      const at = this.#held(nowMs).findIndex(isIt);
      if (at !== -1) this.#charges.splice(at, 1);
    }
  }

  remaining(nowMs: number) {
    return Math.max(this.limit - this.#held(nowMs).length, 0);
  }
}

/** The textbook's theoretical arrival time, as an exact fraction: milliseconds times `limit`. */
export class GcraReference implements Reference {
  #tat = 0n;
  readonly limit: bigint;
  readonly periodMs: bigint;
  readonly burst: bigint;

  constructor(limit: number, periodMs: number, burst: number) {
    this.limit = BigInt(limit);
    this.periodMs = BigInt(periodMs);
    this.burst = BigInt(burst);
  }

  #start(nowMs: number) {
    const now = BigInt(nowMs) * this.limit;
    return { now, tat: this.#tat > now ? this.#tat : now };
  }

  retry(nowMs: number, cost: number) {
    const { now, tat } = this.#start(nowMs);
    const early = tat + (BigInt(cost) - this.burst) * this.periodMs - now;
    if (early <= 0n) return 0;
    return BigInt(cost) > this.burst ? -1 : Number((early + this.limit - 1n) / this.limit);
  }

  add(nowMs: number, cost: number) {
    this.#tat = this.#start(nowMs).tat + BigInt(cost) * this.periodMs;
  }

  giveBack(nowMs: number, cost: number) {
    const { now, tat } = this.#start(nowMs);
    const back = tat - BigInt(cost) * this.periodMs;
    this.#tat = back > now ? back : now;
  }

  remaining(nowMs: number) {
    const { now, tat } = this.#start(nowMs);
    const free = now + this.burst * this.periodMs - tat;
    return free < 0n ? 0 : Number(free / this.periodMs);
  }
}

export class ConcurrencyReference implements Reference {
  #endsAtMs: number[] = [];
  readonly limit: number;
  readonly leaseMs: number;

  constructor(limit: number, leaseMs: number) {
    this.limit = limit;
    this.leaseMs = leaseMs;
  }

  #held(nowMs: number) {
    this.#endsAtMs = this.#endsAtMs.filter((endsAtMs) => endsAtMs > nowMs);
    return this.#endsAtMs;
  }

  retry(nowMs: number, cost: number) {
    const over = this.#held(nowMs).length + cost - this.limit;
    if (over <= 0) return 0;
    return cost > this.limit ? -1 : (this.#endsAtMs[over - 1] ?? Number.NaN) - nowMs;
  }

  add(nowMs: number, cost: number) {
    this.#held(nowMs);
    for (let i = 0; i < cost; i += 1) this.#endsAtMs.push(nowMs + this.leaseMs);
  }

  giveBack(nowMs: number, cost: number, takenAtMs: number | undefined) {
    const endsAtMs = (takenAtMs ?? 0) + this.leaseMs;
    for (let i = 0; i < cost; i += 1) {
      const at = this.#held(nowMs).indexOf(endsAtMs);
      if (at !== -1) this.#endsAtMs.splice(at, 1);
    }
  }

  remaining(nowMs: number) {
    return this.limit - this.#held(nowMs).length;
  }
}
