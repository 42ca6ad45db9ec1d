/** This file owns the routes of endpoints: receivers of deliveries with settings and signing secrets of their own. */
import { endpointNameSchema, endpointSchema, rotationSchema } from '@sluice/delivery/schemas';
import { z } from 'zod';
import { queryInteger } from '../query.ts';
import { route } from '../route.ts';

const LIST_PATH = '/api/v2/deliveries/endpoints';
const PATH = `${LIST_PATH}/{endpoint}`;
const params = z.object({ endpoint: endpointNameSchema });
const read = { area: 'deliveries', verb: 'read' } as const;
const manage = { area: 'deliveries', verb: 'manage' } as const;
const tag = 'deliveries';
const instant = z.iso.datetime();

const endpoint = z
  .object({
    name: endpointNameSchema,
    url: z.string().nullable(),
    headers: z.array(z.string()).meta({ description: 'Their names; values are told to nobody' }),
    schedule: z.array(z.int()).meta({ description: 'Milliseconds before each attempt' }),
    jitter: z.number(),
    timeout: z.int(),
    concurrency: z.int(),
    secrets: z
      .array(z.object({ created_at: instant, expires_at: instant.nullable() }))
      .meta({ description: 'What signs, the newest first' }),
    gone_at: instant.nullable().meta({ description: 'When its receiver said 410; nothing is sent since' }),
    created_at: instant,
    updated_at: instant,
  })
  .meta({ id: 'Endpoint' });

const secret = z.string().meta({ description: 'Told here and never again', examples: ['whsec_…'] });

export const endpoints = {
  listEndpoints: route({
    id: 'listEndpoints',
    method: 'get',
    path: LIST_PATH,
    tag,
    summary: 'Endpoints by name',
    access: read,
    query: z.object({ limit: queryInteger(1, 1_000), after: z.string().max(64).optional() }),
    replies: { 200: { description: 'Endpoints', schema: z.object({ resource: z.array(endpoint) }) } },
  }),
  getEndpoint: route({
    id: 'getEndpoint',
    method: 'get',
    path: PATH,
    tag,
    summary: 'One endpoint, without its secrets',
    access: read,
    params,
    replies: { 200: { description: 'The endpoint', schema: endpoint } },
    errors: ['endpoint_not_found'],
  }),
  putEndpoint: route({
    id: 'putEndpoint',
    method: 'put',
    path: PATH,
    tag,
    summary: 'Make an endpoint, or change its settings; the signing secret of a new one is told once',
    access: manage,
    params,
    body: {
      schema: endpointSchema.meta({
        id: 'EndpointSettings',
        examples: [
          {
            url: 'https://example.com/hooks',
            headers: { Authorization: 'Bearer …' },
            schedule: [0, '5s', '30s', '5m'],
            concurrency: 10,
          },
        ],
      }),
    },
    replies: {
      200: { description: 'Changed', schema: endpoint },
      201: { description: 'Made', schema: endpoint.extend({ secret }) },
    },
    errors: ['delivery_invalid', 'endpoints_full', 'delivery_conflict'],
  }),
  rotateEndpoint: route({
    id: 'rotateEndpoint',
    method: 'post',
    path: `${PATH}/rotate`,
    tag,
    summary:
      'A new signing secret, told once; the one before signs beside it for a day, or as long as `overlap` says',
    access: manage,
    params,
    body: { schema: rotationSchema.meta({ examples: [{ overlap: 3_600 }] }), isOptional: true },
    replies: { 200: { description: 'Rotated', schema: endpoint.extend({ secret }) } },
    errors: ['endpoint_not_found', 'endpoint_secrets_full', 'delivery_conflict'],
  }),
  removeEndpoint: route({
    id: 'removeEndpoint',
    method: 'delete',
    path: PATH,
    tag,
    summary: 'Remove an endpoint; deliveries that wait for it fail',
    access: manage,
    params,
    replies: {
      200: { description: 'Removed', schema: z.object({ name: z.string(), success: z.literal(true) }) },
    },
    errors: ['endpoint_not_found', 'delivery_conflict'],
  }),
};
