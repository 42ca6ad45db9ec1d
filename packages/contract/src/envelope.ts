/** This file owns the shape of every error answer, DreamFactory's own, with a machine code in `context.reason`. */
import { z } from 'zod';

export const errorContext = z
  .looseObject({
    reason: z.string().meta({ description: 'Machine code from a closed list', example: 'key_not_found' }),
    request_id: z.string(),
    issues: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: 'Which fields are wrong, and how' }),
    outcome: z
      .enum(['not_attempted', 'unknown'])
      .optional()
      .meta({ description: 'Whether Redis may have carried the request out' }),
  })
  .nullable();

export const errorEnvelope = z
  .object({
    error: z.object({
      code: z.int().meta({ description: 'The status, or 1000 for a failed batch', example: 404 }),
      context: errorContext,
      message: z.string(),
      status_code: z.int(),
    }),
  })
  .meta({ id: 'Error' });

export type ErrorEnvelope = z.infer<typeof errorEnvelope>;

/** `error.code` of a batch in which some item failed; the per-item results are in `context`. */
export const BATCH_ERROR_CODE = 1000;
