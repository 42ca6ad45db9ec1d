/** This file owns reading query parameters: text to the types the routes want. */
import { z } from 'zod';

const TRUE = ['1', 'true', 'yes', 'on', 'y', 't', ''];
const FALSE = ['0', 'false', 'no', 'off', 'n', 'f'];

/** A flag as DreamFactory reads it; the bare name (`?continue`) is true. Default false. */
export const queryFlag = z
  .string()
  .toLowerCase()
  .refine((text) => TRUE.includes(text) || FALSE.includes(text), 'is not true or false')
  .transform((text) => TRUE.includes(text))
  .optional()
  .meta({ type: 'boolean' });

/** A whole number within bounds, both included. */
export function queryInteger(min: number, max: number) {
  return z
    .string()
    .regex(/^-?\d{1,15}$/, 'is not a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `is not from ${min} to ${max}`)
    .optional()
    .meta({ type: 'integer', minimum: min, maximum: max });
}

/** A comma list, a repeated name, or both; entries are kept as they are, empty ones too. */
export const queryList = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => (Array.isArray(given) ? given : [given]).flatMap((text) => text.split(',')))
  .optional()
  .meta({ type: 'string', description: 'Comma list' });
