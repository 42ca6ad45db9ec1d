/** This file owns the carrying out of a case: its folder, its parameters, its seed, and that nothing is left behind. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FaultCase, isClean, type Outcome, type Run } from './case.ts';
import { randomBy } from './random.ts';

export interface RunOptions {
  seed: number;
  /** The short form's parameters, else the long form's. */
  isShort?: boolean | undefined;
  /** Instead of the form's own. */
  parameters?: Readonly<Record<string, number | string>> | undefined;
  say?: ((line: string) => void) | undefined;
  /** Told where the logs of a run that was not clean are; without it they are removed. */
  keep?: ((folder: string) => void) | undefined;
}

export interface Result {
  id: string;
  title: string;
  about: string;
  target: string;
  seed: number;
  parameters: Record<string, number | string>;
  startedAt: string;
  seconds: number;
  outcome: Outcome;
  isClean: boolean;
}

export async function runCase(fault: FaultCase, options: RunOptions): Promise<Result> {
  const { seed, isShort = false, say = () => undefined, keep } = options;
  const parameters = Object.fromEntries(
    Object.entries(fault.parameters).map(([name, parameter]) => [
      name,
      options.parameters?.[name] ?? (isShort ? parameter.short : parameter.long),
    ]),
  );
  const folder = await mkdtemp(join(tmpdir(), 'sluice-fault-'));
  const cleanUps: (() => Promise<void> | void)[] = [];
  const startedAt = new Date();
  const run: Run = {
    ...{ seed, random: randomBy(seed), folder, say },
    number: (name) => {
      const value = Number(parameters[name]);
      if (!Number.isFinite(value)) throw new TypeError(`${fault.id} has no number '${name}'`);
      return value;
    },
    text: (name) => String(parameters[name]),
    onTestFinished: (cleanUp) => void cleanUps.unshift(cleanUp),
  };
  let isKept = false;
  try {
    const outcome = await fault.run(run);
    const isCleanRun = isClean(outcome);
    isKept = !isCleanRun && keep !== undefined;
    const { id, title, about, target } = fault;
    return {
      ...{ id, title, about, target, seed, parameters, outcome, isClean: isCleanRun },
      startedAt: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 1_000),
    };
  } catch (error) {
    isKept = keep !== undefined;
    throw error;
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
    if (isKept) keep?.(folder);
    else await rm(folder, { recursive: true, force: true });
  }
}
