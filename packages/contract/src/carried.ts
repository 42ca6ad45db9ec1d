/** This file owns the schema of a caller's own JSON: any value, carried as text by the server, `null` included, absence not. */
import { z } from 'zod';

export const carriedJson = z
  .unknown()
  .refine((value) => value !== undefined, 'is required')
  .meta({ description: 'Any JSON value; it comes back as it was sent' });
