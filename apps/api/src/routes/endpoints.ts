/** This file owns the answers about endpoints of deliveries. */
import type { routes } from '@sluice/contract';
import type { Endpoints, EndpointView } from '@sluice/delivery';
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_JITTER,
  DEFAULT_SCHEDULE_MS,
  DEFAULT_TIMEOUT_MS,
} from '@sluice/delivery/schemas';
import type { Handlers } from '../http/call.ts';
import { json } from '../http/reply.ts';

type EndpointRoutes = Pick<
  typeof routes,
  'listEndpoints' | 'getEndpoint' | 'putEndpoint' | 'rotateEndpoint' | 'removeEndpoint'
>;

const DEFAULT_PAGE = 100;

export function endpointHandlers({ endpoints }: { endpoints: Endpoints }): Handlers<EndpointRoutes> {
  return {
    listEndpoints: async ({ query: { limit = DEFAULT_PAGE, after } }) =>
      json(200, { resource: (await endpoints.list({ limit, after })).map(endpointBody) }),
    getEndpoint: async ({ params }) => json(200, endpointBody(await endpoints.get(params.endpoint))),
    putEndpoint: async ({ params, body }) => {
      const { endpoint, secret } = await endpoints.put(params.endpoint, body);
      if (secret === undefined) return json(200, endpointBody(endpoint));
      return json(201, { ...endpointBody(endpoint), secret });
    },
    rotateEndpoint: async ({ params, body }) => {
      const { endpoint, secret } = await endpoints.rotate(params.endpoint, body);
      return json(200, { ...endpointBody(endpoint), secret });
    },
    removeEndpoint: async ({ params: { endpoint } }) => {
      await endpoints.remove(endpoint);
      return json(200, { name: endpoint, success: true });
    },
  };
}

function endpointBody(endpoint: EndpointView) {
  return {
    name: endpoint.name,
    url: endpoint.url,
    headers: endpoint.headerNames,
    schedule: endpoint.schedule ?? DEFAULT_SCHEDULE_MS,
    jitter: endpoint.jitter ?? DEFAULT_JITTER,
    timeout: endpoint.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    concurrency: endpoint.concurrency ?? DEFAULT_CONCURRENCY,
    secrets: endpoint.secrets.map(({ createdAt, expiresAt }) => ({
      created_at: instant(createdAt),
      expires_at: instant(expiresAt),
    })),
    gone_at: instant(endpoint.goneAt),
    created_at: instant(endpoint.createdAt),
    updated_at: instant(endpoint.updatedAt),
  };
}

function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
