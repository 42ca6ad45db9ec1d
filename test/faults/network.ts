/**
 * This file owns a network of machines that is none: network namespaces on two bridges joined by a trunk, whose links can
 * be cut. The harness, the product and its callers are on the left bridge.
 *
 *   this machine --- left ---trunk--- right       cut(): two halves       unplug(): one machine alone
 *                    |  |             |  |
 *                   r1  s1           r2  s2
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Cleaner } from '../e2e/product.ts';

export type Side = 'left' | 'right';

export interface Machine {
  readonly name: string;
  readonly host: string;
  /** Before a command that is to run there. */
  readonly launcher: readonly string[];
  /** No packet comes or goes, and nobody is told. */
  unplug(): void;
  plug(): void;
  /** To the other bridge; connections that still have a way stay open. */
  moveTo(side: Side): void;
}

const FIRST_MACHINE = 10;

export class Network {
  readonly #id = randomBytes(2).toString('hex');
  readonly #prefix: string;
  readonly #namespaces: string[] = [];

  private constructor() {
    const [high = 0, low = 0] = randomBytes(2);
    this.#prefix = `10.${200 + (high % 50)}.${low}`;
  }

  /** Throws, in a sentence, where namespaces cannot be made. */
  static open(t: Cleaner): Network {
    const network = new Network();
    t.onTestFinished(() => network.#close());
    if (process.getuid?.() !== 0)
      throw new Error(
        'this case puts each Redis into a network namespace of its own, which takes root: run it by sudo',
      );
    try {
      network.#build();
    } catch (error) {
      throw new Error(
        'this case puts each Redis into a network namespace of its own, which takes iproute2 and CAP_NET_ADMIN, in a container as well',
        { cause: error },
      );
    }
    return network;
  }

  machine(name: string, side: Side = 'left'): Machine {
    const index = this.#namespaces.length;
    const [namespace, link] = [`sluice-${this.#id}-${name}`, this.#link(`m${index}`)];
    const host = `${this.#prefix}.${FIRST_MACHINE + index}`;
    ip('netns', 'add', namespace);
    this.#namespaces.push(namespace);
    ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip('link', 'set', link, 'master', this.#link(side), 'up');
    ip('-n', namespace, 'addr', 'add', `${host}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    return {
      name,
      host,
      launcher: ['ip', 'netns', 'exec', namespace],
      unplug: () => ip('link', 'set', link, 'down'),
      plug: () => ip('link', 'set', link, 'up'),
      moveTo: (to) => ip('link', 'set', link, 'master', this.#link(to)),
    };
  }

  /** Left and right no longer reach each other. */
  cut(): void {
    ip('link', 'set', this.#link('trunk-l'), 'down');
  }

  mend(): void {
    ip('link', 'set', this.#link('trunk-l'), 'up');
  }

  #build(): void {
    for (const side of ['left', 'right']) {
      ip('link', 'add', this.#link(side), 'type', 'bridge');
      ip('link', 'set', this.#link(side), 'up');
    }
    ip('addr', 'add', `${this.#prefix}.1/24`, 'dev', this.#link('left'));
    ip('link', 'add', this.#link('trunk-l'), 'type', 'veth', 'peer', 'name', this.#link('trunk-r'));
    ip('link', 'set', this.#link('trunk-l'), 'master', this.#link('left'), 'up');
    ip('link', 'set', this.#link('trunk-r'), 'master', this.#link('right'), 'up');
  }

  /** A namespace takes its link along, the trunk its other end; what was never made is not missed. */
  #close(): void {
    for (const namespace of this.#namespaces) quietly('netns', 'del', namespace);
    for (const name of ['trunk-l', 'left', 'right']) quietly('link', 'del', this.#link(name));
  }

  /** At most 15 letters. */
  #link(name: string): string {
    return `sl${this.#id}-${name}`;
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 10_000 });
}

function quietly(...args: string[]): void {
  try {
    ip(...args);
  } catch {
    // It was never made.
  }
}
