/** This file owns what a case is: a fault, its parameters in a long and a short form, and what it found. */
import type { Cleaner } from '../e2e/product.ts';
import type { Verdict } from './checker.ts';
import type { Random } from './random.ts';

export interface Parameter {
  says: string;
  long: number | string;
  short: number | string;
}

export interface FaultCase {
  /** `F-02`. */
  id: string;
  title: string;
  /** What is done, in one or two sentences. */
  about: string;
  /** What must come of it, in one sentence. */
  target: string;
  parameters: Readonly<Record<string, Parameter>>;
  /** Throws only when the case could not be carried out. */
  run(run: Run): Promise<Outcome>;
}

/** One carrying out of a case. */
export interface Run extends Cleaner {
  seed: number;
  random: Random;
  /** Of its own; gone afterwards, but for what the caller keeps of it. */
  folder: string;
  /** Progress, for a person. */
  say: (line: string) => void;
  number: (parameter: string) => number;
  text: (parameter: string) => string;
}

/** One figure beside its target. */
export interface Finding {
  what: string;
  target: string;
  measured: string;
  holds: boolean;
  /** Why, when it does not hold; or what else should be known. */
  note?: string | undefined;
}

export interface Outcome {
  /** `redis-server, appendfsync always`. */
  topology: string;
  /** Of the invariants; absent where a case puts no load on. */
  verdict?: Verdict | undefined;
  findings: readonly Finding[];
  /** How often each fault was done. */
  faults: Readonly<Record<string, number>>;
  /** Acknowledged jobs beyond those of the verdict. */
  acknowledged?: number | undefined;
  /** For the report: tables or sentences of the case's own, in Markdown. */
  text?: string | undefined;
}

export function isClean({ verdict, findings }: Outcome): boolean {
  return findings.every(({ holds }) => holds) && (verdict?.invariants ?? []).every(({ holds }) => holds);
}
