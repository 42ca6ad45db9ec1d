/** This file owns whose turn it is: everybody's, those more often whose things are used up, and the unreached on errands. */
import type { Operation } from './document.ts';
import type { Random } from './random.ts';
import type { Errand, World } from './world.ts';

/** What one sender asks for, one after the other. */
export interface Leg {
  operations: readonly Operation[];
  /** Given: these follow from each other, about things that nobody else touches. */
  errand?: Errand;
}

/** Jobs to lease and leases to settle, which are used up. */
const OFTEN: Readonly<Record<string, number>> = { enqueueJobs: 5, takeLeases: 4, leaseValue: 3 };
/** So many turns go to errands while there is a route that was not reached. */
const ERRANDS = 0.25;

export class Course {
  readonly #operations: readonly Operation[];
  readonly #weighted: readonly Operation[];
  readonly #random: Random;
  readonly #world: World;
  readonly #reached = new Set<string>();

  constructor(options: { operations: readonly Operation[]; random: Random; world: World }) {
    this.#operations = options.operations;
    this.#random = options.random;
    this.#world = options.world;
    this.#weighted = this.#operations.flatMap((operation) =>
      Array.from({ length: OFTEN[operation.id] ?? 1 }, () => operation),
    );
  }

  get unreached(): string[] {
    return this.#missing.map(({ id }) => id);
  }

  reached({ id }: Operation): void {
    this.#reached.add(id);
  }

  next(): Leg {
    const missing = this.#missing;
    if (missing.length === 0 || !this.#random.chance(ERRANDS))
      return { operations: [this.#random.pick(this.#weighted)] };
    const wanted = this.#random.pick(missing);
    const before = this.#world.before(wanted.id).map((id) => this.#named(id));
    return { operations: [...before, wanted], errand: this.#world.errand() };
  }

  get #missing(): Operation[] {
    return this.#operations.filter(({ id }) => !this.#reached.has(id));
  }

  #named(wanted: string): Operation {
    const found = this.#operations.find(({ id }) => id === wanted);
    if (!found) throw new TypeError(`no operation is called ${wanted}`);
    return found;
  }
}
