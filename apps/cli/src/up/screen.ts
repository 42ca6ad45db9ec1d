/** This file owns what `sluice up` shows: its own words, the apps' logs, the addresses. */
import type { Terminal } from '../terminal.ts';
import { renderLogLine } from './log-line.ts';

export interface Screen {
  /** A line of ours. */
  say(line: string): void;
  /** A line of an app's output. */
  log(name: string, line: string): void;
}

/**
 * For people on standard output; with `isJson` the apps' lines go there untouched and our own words to standard error,
 * so that a program can read the one without the other.
 */
export function createScreen(options: { terminal: Terminal; isJson: boolean; isColoured: boolean }): Screen {
  const { terminal, isJson, isColoured } = options;
  return {
    say: (line) => (isJson ? terminal.err : terminal.out)(`${line}\n`),
    log: (name, line) => terminal.out(`${isJson ? line : renderLogLine(name, line, { isColoured })}\n`),
  };
}

/** The lines that tell where everything is. `firstKey` is there once in the life of an installation. */
export function addresses(options: {
  url: string;
  firstKey: string | undefined;
  redis: readonly string[];
  worker: string;
}): string[] {
  const { url, firstKey, redis, worker } = options;
  const [redisIs = '', ...redisMore] = redis;
  return [
    '',
    url,
    ...(firstKey === undefined ? [] : [`API key: ${firstKey}`]),
    '',
    `  docs    ${url}/docs`,
    `  console ${url}/admin`,
    `  board   ${url}/admin/queues`,
    `  worker  ${worker}`,
    `  redis   ${redisIs}`,
    ...redisMore.map((line) => `          ${line}`),
    `  try     ${example(url, firstKey ?? 'YOUR_KEY')}`,
    '',
    '  Ctrl-C stops it all; running jobs are finished first.',
    '',
  ];
}

export function example(url: string, key: string): string {
  return (
    `curl -H 'X-DreamFactory-API-Key: ${key}' -H 'Content-Type: application/json' ` +
    `-d '{"resource":[{"key":"greeting","value":"hello","ttl":60}]}' ${url}/api/v2/redis`
  );
}
