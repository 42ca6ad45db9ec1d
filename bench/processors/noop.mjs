/** This file owns the job that does nothing. */
import { defineJob } from '@sluice/jobs';
import { z } from 'zod';

export default defineJob({ name: 'bench', payload: z.unknown(), run: async () => null });
