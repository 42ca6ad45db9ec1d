/** This file owns the files that pages of the console are styled and made alive by, each under a name that changes with it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface ConsoleAsset {
  type: string;
  text: string;
}

const TYPES = {
  'console.css': 'text/css; charset=utf-8',
  'console.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;
type FileName = keyof typeof TYPES;

const HASH_CHARACTERS = 10;

export class ConsoleAssets {
  readonly #base: string;
  readonly #names = new Map<string, string>();
  readonly #byName = new Map<string, ConsoleAsset>();

  /** `base`: the path that they are served at. */
  constructor(base: string) {
    this.#base = base;
    for (const [file, type] of Object.entries(TYPES)) {
      const text = readFileSync(new URL(`./files/${file}`, import.meta.url), 'utf8');
      const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_CHARACTERS);
      const name = file.replace('.', `.${hash}.`);
      this.#names.set(file, name);
      this.#byName.set(name, { type, text });
    }
  }

  /** Where it is served. */
  path(file: FileName): string {
    return `${this.#base}/${this.#names.get(file)}`;
  }

  get(name: string): ConsoleAsset | undefined {
    return this.#byName.get(name);
  }
}
