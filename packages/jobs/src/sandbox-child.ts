/**
 * This file owns the child's side of a sandbox: it imports one job's module and runs its attempts one after the other.
 * It is the program of a process and is imported by nobody.
 */
import { DomainError } from '@sluice/runtime';
import type { AttemptContext, JobDefinition } from './define.ts';
import { provideModules } from './provided-modules.ts';
import type { FromChild, SandboxFacts, ToChild } from './sandbox.ts';

let controller = new AbortController();
let calls = 0;
const waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();

function tell(message: FromChild): void {
  process.send?.(message);
}

function call(message: (call: number) => FromChild): Promise<void> {
  calls += 1;
  const number = calls;
  return new Promise((resolve, reject) => {
    waiting.set(number, { resolve, reject });
    tell(message(number));
  });
}

async function run(module: string, payload: unknown, facts: SandboxFacts): Promise<void> {
  controller = new AbortController();
  const ctx: AttemptContext = {
    ...facts,
    signal: controller.signal,
    progress: (value) => call((number) => ({ kind: 'progress', call: number, value })),
    log: (line) => call((number) => ({ kind: 'log', call: number, line: String(line) })),
  };
  try {
    const { default: job } = (await import(module)) as { default: JobDefinition };
    tell({ kind: 'result', value: await job.run(payload, ctx) });
  } catch (error) {
    const { name, message, stack, code, details } = (
      error instanceof Error ? error : new Error(String(error))
    ) as DomainError;
    tell({ kind: 'error', error: { name, message, stack, code, details } });
  }
}

process.on('message', (message: ToChild) => {
  switch (message.kind) {
    case 'run':
      return void run(message.module, message.payload, message.facts);
    case 'abort':
      return controller.abort(new DomainError(message.code, message.message));
    case 'done': {
      const { resolve, reject } = waiting.get(message.call) ?? {};
      waiting.delete(message.call);
      return message.error === undefined ? resolve?.() : reject?.(new Error(message.error));
    }
  }
});
// A terminal's Ctrl-C reaches the whole group; the worker decides when its attempts end.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit(0));
provideModules();
