/** This file owns logging: the only pino of the house, and its field names. */
import { type Logger, pino } from 'pino';
import { withoutSecrets } from './redaction.ts';

export type Log = Logger;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A logger that writes JSON lines to standard output (`destination` for tests).
 *
 * Messages are constant phrases and values are fields; bodies, payloads and headers are never logged. What slips in all
 * the same passes `withoutSecrets`: pino's own redaction costs 50 µs a line for names three levels deep, this one 2.
 */
export function createLog(options: {
  name: string;
  level?: LogLevel;
  destination?: { write(line: string): void };
}): Log {
  const { name, level = 'info', destination } = options;
  const settings = {
    name,
    level,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: withoutSecrets,
    },
    // Errors are described by then.
    serializers: { err: (described: unknown) => described },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  };
  return withSafeChildren(pino(settings, destination ?? standardOutput()));
}

/** How long a line may wait for others: a write of its own costs a busy process a tenth of its time. */
const GATHER_MS = 20;

/** Lines leave together; what has not left when the process exits, for whatever reason it can know of, leaves then. */
function standardOutput(): { write(line: string): void } {
  const output = pino.destination({ dest: 1, sync: false });
  let gathered = '';
  const leave = () => {
    if (gathered !== '') output.write(gathered);
    gathered = '';
  };
  // Before pino's own listener, which writes what the output still holds.
  process.prependListener('exit', leave);
  return {
    write(line) {
      if (gathered === '') setTimeout(leave, GATHER_MS).unref();
      gathered += line;
    },
  };
}

/** pino formats the fields of lines, not those that a child brings to each of its lines. */
function withSafeChildren(log: Log): Log {
  const child = log.child;
  log.child = function safeChild(this: Log, fields, options) {
    return child.call(this, withoutSecrets(fields) as typeof fields, options);
  } as typeof child;
  return log;
}
