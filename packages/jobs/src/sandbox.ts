/**
 * This file owns attempts that run in a process of their own: a crash, a leak or a processor that heeds no abort costs
 * that process and not the worker. It guards against accidents, not against malice: the child has the worker's rights.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { DomainError } from '@sluice/runtime';
import type { CatalogEntry } from './catalog.ts';
import type { AbortCode } from './decision.ts';
import { type AttemptContext, DEFAULT_ABORT_GRACE_MS } from './define.ts';

/** What the worker tells the child, by structured clone. */
export type ToChild =
  | { kind: 'run'; module: string; payload: unknown; facts: SandboxFacts }
  | { kind: 'abort'; code: AbortCode; message: string }
  | { kind: 'done'; call: number; error?: string };

/** What the child tells the worker. */
export type FromChild =
  | { kind: 'progress'; call: number; value: unknown }
  | { kind: 'log'; call: number; line: string }
  | { kind: 'result'; value: unknown }
  | { kind: 'error'; error: SandboxError };

export type SandboxFacts = Pick<AttemptContext, 'jobId' | 'queue' | 'attempt' | 'maxAttempts'>;

export interface SandboxError {
  name: string;
  message: string;
  stack: string | undefined;
  code: unknown;
  details: unknown;
}

/** Kept for the next attempt this long; starting one takes a few hundred milliseconds. */
const IDLE_MS = 30_000;
const CHILD_FILE = new URL(
  `./sandbox-child.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`,
  import.meta.url,
);

export class Sandbox {
  readonly #execArgv: readonly string[];
  /** By module; a child has imported one module and runs no other. */
  readonly #idle = new Map<string, Set<ChildProcess>>();
  readonly #all = new Set<ChildProcess>();

  /** `execArgv`: Node's own arguments for the children; default those of this process. */
  constructor(options: { execArgv?: readonly string[] | undefined } = {}) {
    this.#execArgv = options.execArgv ?? process.execArgv;
  }

  /** Runs one attempt. When it is aborted and does not come back within the job's grace, its process is killed. */
  async run({ job, module }: CatalogEntry, payload: unknown, ctx: AttemptContext): Promise<unknown> {
    if (!module) throw new TypeError(`job '${job.name}' has no module to run in a process of its own`);
    const child = this.#take(module.href);
    let killing: NodeJS.Timeout | undefined;
    const onAbort = () => {
      const { code, message } = ctx.signal.reason as DomainError<AbortCode>;
      send(child, { kind: 'abort', code, message });
      killing = setTimeout(() => child.kill('SIGKILL'), job.abortGraceMs ?? DEFAULT_ABORT_GRACE_MS);
    };
    ctx.signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await converse(child, { module: module.href, payload, ctx });
    } finally {
      clearTimeout(killing);
      ctx.signal.removeEventListener('abort', onAbort);
      this.#giveBack(module.href, child);
    }
  }

  /** Ends all children, those that run as well. */
  close(): void {
    for (const child of this.#all) child.kill('SIGKILL');
  }

  #take(module: string): ChildProcess {
    const idle = this.#idle.get(module);
    for (const child of idle ?? []) {
      idle?.delete(child);
      if (child.connected) return child;
    }
    const child = fork(CHILD_FILE, [], {
      execArgv: [...this.#execArgv],
      // Dates and the like, which a schema may have made of the payload, arrive as what they are.
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#all.add(child);
    // That it could not be started, or a message not be sent, ends it, and `exit` tells.
    child.on('error', () => child.kill('SIGKILL'));
    child.once('exit', () => {
      this.#all.delete(child);
      this.#idle.get(module)?.delete(child);
    });
    return child;
  }

  #giveBack(module: string, child: ChildProcess): void {
    child.removeAllListeners('message');
    if (!child.connected) return;
    const idle = this.#idle.get(module) ?? new Set();
    this.#idle.set(module, idle.add(child));
    setTimeout(() => {
      // Taken and given back meanwhile, it has a later timer of its own and is started anew at worst.
      if (idle.delete(child)) child.kill('SIGKILL');
    }, IDLE_MS).unref();
  }
}

/** From the first message to the result; rejects with the processor's error, or when the process ends before. */
function converse(
  child: ChildProcess,
  { module, payload, ctx }: { module: string; payload: unknown; ctx: AttemptContext },
): Promise<unknown> {
  const { jobId, queue, attempt, maxAttempts } = ctx;
  return new Promise((resolve, reject) => {
    const onExit = (status: number | null, signal: string | null) => {
      reject(
        new Error(
          `the process of the job ended with ${signal === null ? `status ${status}` : `signal ${signal}`}`,
        ),
      );
    };
    const settle = (finish: () => void) => {
      child.off('exit', onExit).off('error', reject);
      finish();
    };
    child.once('exit', onExit);
    child.once('error', reject);
    child.on('message', (message: FromChild) => {
      switch (message.kind) {
        case 'progress':
          return answer(child, message.call, ctx.progress(message.value));
        case 'log':
          return answer(child, message.call, ctx.log(message.line));
        case 'result':
          return settle(() => resolve(message.value));
        case 'error':
          return settle(() => reject(revive(message.error)));
      }
    });
    send(child, { kind: 'run', module, payload, facts: { jobId, queue, attempt, maxAttempts } });
  });
}

function answer(child: ChildProcess, call: number, work: Promise<void>): void {
  work.then(
    () => send(child, { kind: 'done', call }),
    (error: unknown) => send(child, { kind: 'done', call, error: String((error as Error).message) }),
  );
}

/** A child that is gone hears nothing; its end is told by `exit`. */
function send(child: ChildProcess, message: ToChild): void {
  child.send(message, () => undefined);
}

function revive({ name, message, stack, code, details }: SandboxError): Error {
  const error =
    name === 'DomainError'
      ? new DomainError(String(code), message, { details: details as Record<string, unknown> })
      : new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
