/** This file owns the reading of durations and sizes at the configuration edge; inside, everything is a number. */

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const UNIT_BYTES = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 } as const;

/** `'250ms' | '30s' | '15m' | '2h' | '7d'` in milliseconds; `undefined` when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text.trim());
  if (!match) return undefined;
  return safe(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]);
}

/** `'512b' | '64kb' | '1mb' | '2gb'` in bytes (1 kb = 1024 b); `undefined` when the text is not a size. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,12})(b|kb|mb|gb)$/i.exec(text.trim());
  if (!match) return undefined;
  return safe(Number(match[1]) * UNIT_BYTES[match[2]?.toLowerCase() as keyof typeof UNIT_BYTES]);
}

/** A number that counts no longer one by one is no amount of anything. */
function safe(amount: number): number | undefined {
  return Number.isSafeInteger(amount) ? amount : undefined;
}
