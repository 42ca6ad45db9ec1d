/** This file owns what a log line may not hold: fields whose names say secret, and what hangs on errors. */

const REDACTED = '[secret]';

/** Names as they end, in lower case and without `-` and `_`: `sessionToken`, `x-dreamfactory-api-key`, `REDIS_PASSWORD`. */
const SECRET_NAME =
  /(password|passwd|passphrase|secret|token|apikey|authorization|cookie|pepper|credentials?|privatekey)$/;
const MAX_DEPTH = 6;
const MAX_ELEMENTS = 100;
const MAX_CAUSES = 4;
/** Names come from code, so there are few; a caller's names must not make this grow. */
const MAX_NAMES = 2_000;
const known = new Map<string, boolean>();

/**
 * The fields as they may be written: secrets as `[secret]`, errors as type, code, message, stack and causes (a failed
 * command of Redis carries its arguments), bytes as their number, nothing below six levels. Untouched when there is
 * nothing to change.
 */
export function withoutSecrets(fields: object): Record<string, unknown> {
  return clean(fields, 0) as Record<string, unknown>;
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return describeError(value, 0);
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return value;
  if (depth === MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, MAX_ELEMENTS).map((element) => clean(element, depth + 1));
  let copy: Record<string, unknown> | undefined;
  for (const name of Object.keys(value)) {
    const field = (value as Record<string, unknown>)[name];
    const written = isSecretName(name) && field !== undefined ? REDACTED : clean(field, depth + 1);
    if (written === field) continue;
    copy ??= { ...value };
    copy[name] = written;
  }
  return copy ?? value;
}

function isSecretName(name: string): boolean {
  const before = known.get(name);
  if (before !== undefined) return before;
  const isSecret = SECRET_NAME.test(name.toLowerCase().replace(/[-_]/g, ''));
  if (known.size < MAX_NAMES) known.set(name, isSecret);
  return isSecret;
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  const { code, errors } = error as { code?: unknown; errors?: unknown };
  const isDeeper = depth < MAX_CAUSES;
  return {
    type: name,
    code,
    message,
    stack,
    ...(isDeeper && cause instanceof Error && { cause: describeError(cause, depth + 1) }),
    // Several addresses of one name that refused: the error itself says nothing.
    ...(isDeeper &&
      Array.isArray(errors) && {
        errors: errors
          .slice(0, MAX_CAUSES)
          .map((each) => (each instanceof Error ? describeError(each, MAX_CAUSES) : typeof each)),
      }),
  };
}
