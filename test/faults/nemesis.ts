/** This file owns what is done to the product: each fault with its time, in a file, in the order of a seeded plan. */
import { appendFileSync } from 'node:fs';

export interface Strike {
  name: string;
  /** Epoch milliseconds. */
  beganAt: number;
  /** When what was taken away was back; `undefined` while it is not. */
  healedAt: number | undefined;
  /** `pid 4711`, `down 0.8 s`. */
  detail: string;
}

export class Nemesis {
  readonly strikes: Strike[] = [];
  readonly #path: string;
  readonly #say: (line: string) => void;

  constructor({ path, say }: { path: string; say: (line: string) => void }) {
    this.#path = path;
    this.#say = say;
  }

  /** Does `fault`, which resolves when it is healed; logs both. */
  async strike(name: string, detail: string, fault: () => Promise<void> | void): Promise<Strike> {
    const strike: Strike = { name, detail, beganAt: Date.now(), healedAt: undefined };
    this.strikes.push(strike);
    this.#log({ ...strike, event: 'begins' });
    await fault();
    strike.healedAt = Date.now();
    this.#log({ ...strike, event: 'healed' });
    this.#say(`${name} (${detail}), healed after ${strike.healedAt - strike.beganAt} ms`);
    return strike;
  }

  counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { name } of this.strikes) counts[name] = (counts[name] ?? 0) + 1;
    return counts;
  }

  #log(line: object): void {
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}
