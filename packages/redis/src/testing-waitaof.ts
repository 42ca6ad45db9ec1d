/** This file owns the second engine of the tests: a server that has WAITAOF, which Debian 12's Redis 7.0 has not. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where `scripts/valkey.mjs` puts it; no part of the system. */
const OWN = fileURLToPath(new URL('../../../node_modules/.cache/sluice/valkey-server', import.meta.url));

/** The server's program; `undefined` when there is none here, which the tests that need it say. */
export function waitaofProgram(): string | undefined {
  const inPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'valkey-server'));
  return [...inPath, OWN].find((file) => existsSync(file));
}
