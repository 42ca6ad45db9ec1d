/** This file owns who sits at the terminal, for the trail of changes. */
import { userInfo } from 'node:os';
import type { Author } from '@sluice/system';

export function author(): Author {
  return { kind: 'cli', id: null, label: userName() };
}

/** A container may run as a user without a name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
