/** This file owns logging: the only pino of the house, its redaction and its field names. */
import { type Logger, pino } from 'pino';

export type Log = Logger;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** pino's wildcard covers one level only, so each depth at which we may log such a field is named. */
const SECRET_FIELDS = ['password', 'secret', 'token', 'apiKey', 'authorization', 'cookie', 'pepper', 'session_token'];
const REDACT_PATHS = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);

/**
 * A logger that writes JSON lines to standard output (`destination` for tests).
 *
 * Messages are constant phrases and values are fields; bodies, payloads and headers are never logged. Errors keep
 * type, code, message and stack; nothing that hangs on them (a command's arguments, a request) is written.
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
    redact: { paths: REDACT_PATHS, censor: '[secret]' },
    serializers: { err: describeError, error: describeError },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  };
  return destination ? pino(settings, destination) : pino(settings);
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const { name, message, stack } = error;
  const code = (error as { code?: unknown }).code;
  const cause = error.cause === undefined ? undefined : describeError(error.cause);
  return { type: name, code, message, stack, cause };
}
