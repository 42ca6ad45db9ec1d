/** This file owns what a command has of the world: its environment, and where its words go. */
import type { EnvironmentVariables } from '@sluice/config';

export interface Terminal {
  variables: EnvironmentVariables;
  /** Standard input; absent: nothing comes. */
  stdin?: AsyncIterable<Uint8Array>;
  /** Somebody looks at standard error, where a line may be written over. Default false. */
  isWatched?: boolean;
  /** Standard output: what was asked for. */
  out(text: string): void;
  /** Standard error: why it was not done. */
  err(text: string): void;
  /** True when a person reads standard output; only then it is coloured. */
  isTty?: boolean;
}
