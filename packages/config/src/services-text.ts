/** This file owns where the services file is, and what it means that there is none. */
import { readFileSync } from 'node:fs';
import { type Env, shown } from './env.ts';

const DEFAULT_PATH = 'sluice.config.json';

/** The file as it is; `undefined` without one. One that is missing is a fault only when SLUICE_CONFIG names it. */
export function readServicesText(env: Env): { text: string | undefined; origin: string } {
  const origin = env.text('SLUICE_CONFIG', DEFAULT_PATH);
  try {
    return { text: readFileSync(origin, 'utf8'), origin };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    if (env.has('SLUICE_CONFIG') || code !== 'ENOENT') {
      env.fault({
        name: 'SLUICE_CONFIG',
        got: `${shown(origin)} (${code})`,
        wanted: 'a file that can be read',
        example: `SLUICE_CONFIG=${DEFAULT_PATH}`,
      });
    }
    return { text: undefined, origin };
  }
}
