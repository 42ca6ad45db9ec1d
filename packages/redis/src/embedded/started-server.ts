/** This file owns what every kind of embedded server promises, whichever it is. */
import type { ProcessIdentity } from './process-identity.ts';

export const SERVER_PROGRAMS = ['redis-server', 'valkey-server'] as const;
export type ServerProgram = (typeof SERVER_PROGRAMS)[number];
export type EmbeddedKind = ServerProgram | 'in-process';

export interface EmbeddedEnd {
  /** True after `stop()`; false when the server went by itself. */
  wasAsked: boolean;
  /** `status 1`, `signal SIGKILL`. */
  reason: string;
  /** The server's last words, oldest first; at most 20. */
  lastLines: readonly string[];
}

export interface StartedServer {
  /** As the server tells it. */
  version: string;
  process: ProcessIdentity;
  /** Settles once, when the server has ended. */
  ended: Promise<EmbeddedEnd>;
  /** Resolves when it is gone. Safe to call twice. */
  stop(): Promise<void>;
}
