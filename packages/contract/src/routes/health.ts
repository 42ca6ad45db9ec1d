/** This file owns the routes that tell whether the API lives, serves, and how it does. */
import { z } from 'zod';
import { route } from '../route.ts';

const redisHealth = z.object({
  role: z.string(),
  status: z.enum(['up', 'down']),
  kind: z.string().optional().meta({ description: 'What is wrong, when down' }),
});

const warnings = z
  .array(z.enum(['data_loss_suspected', 'clock_skew', 'schedulers_stopped']))
  .meta({ description: 'What an operator should look at' });

export const health = {
  livez: route({
    id: 'livez',
    method: 'get',
    path: '/livez',
    tag: 'operations',
    summary: 'The process runs',
    access: 'public',
    replies: { 200: { description: 'Alive', schema: z.object({ status: z.literal('ok') }) } },
  }),
  readyz: route({
    id: 'readyz',
    method: 'get',
    path: '/readyz',
    tag: 'operations',
    summary: 'The process can serve: every Redis it needs answers',
    access: 'public',
    replies: {
      200: {
        description: 'Ready',
        schema: z.object({ status: z.literal('ready'), redis: z.array(redisHealth), warnings }),
      },
      503: {
        description: 'Not ready',
        schema: z.object({
          status: z.enum(['not_ready', 'data_loss_suspected']),
          redis: z.array(redisHealth),
          warnings,
        }),
      },
    },
  }),
  metrics: route({
    id: 'metrics',
    method: 'get',
    path: '/metrics',
    tag: 'operations',
    summary: 'Prometheus metrics',
    access: { area: 'metrics', verb: 'read' },
    replies: { 200: { description: 'Prometheus text format', contentType: 'text/plain' } },
  }),
};
