/** This file owns the files of Bull Board's page: a closed list made at the start, so that no path leads out of its folder. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';

export interface Asset {
  type: string;
  /** Whether the name changes with the content. */
  isImmutable: boolean;
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};
const HASHED = /\.[0-9a-f]{10}\.(?:js|css)$/;

/** Assets by their path below `folder`. What has no type here (licence texts) is not served. */
export function findAssets(folder: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const file = join(entry.parentPath, entry.name);
    assets.set(relative(folder, file).split(sep).join('/'), {
      type,
      isImmutable: HASHED.test(entry.name),
      read: async () => new Uint8Array(await readFile(file)),
    });
  }
  return assets;
}
