/** This file owns the examples of deliveries, their endpoints, and targets of queues. */
import type { Examples } from '../example.ts';
import type { deliveries as deliveryRoutes } from '../routes/deliveries.ts';
import type { endpoints as endpointRoutes } from '../routes/endpoints.ts';
import type { targets as targetRoutes } from '../routes/targets.ts';

const partner = { params: { endpoint: 'partner' } };
const orders = { params: { queue: 'orders' } };
const endpoint = {
  name: 'partner',
  url: 'https://partner.example/hooks',
  headers: ['Authorization'],
  schedule: [0, 5_000, 30_000, 300_000],
  jitter: 0.1,
  timeout: 15_000,
  concurrency: 20,
  secrets: [{ created_at: '2026-01-01T00:00:00.000Z', expires_at: null }],
  gone_at: null,
  created_at: '2026-01-01T00:00:00.000Z',
  updated_at: '2026-01-01T00:00:00.000Z',
};
const target = {
  queue: 'orders',
  url: 'https://shop.example/orders',
  method: 'POST',
  headers: {},
  endpoint: 'default',
  schedule: [0, 10_000, 60_000],
  jitter: 0.1,
  timeout: 5_000,
  callback: null,
  failure_callback: null,
  updated_at: '2026-01-01T00:00:00.000Z',
};

export const deliveryExamples: Examples<typeof deliveryRoutes & typeof endpointRoutes & typeof targetRoutes> =
  {
    putEndpoint: {
      ...partner,
      body: {
        url: 'https://partner.example/hooks',
        headers: { Authorization: 'Bearer t' },
        schedule: [0, '5s', '30s', '5m'],
      },
      status: 201,
      reply: { ...endpoint, secret: 'whsec_…' },
    },
    listEndpoints: { reply: { resource: [endpoint] } },
    getEndpoint: { ...partner, reply: endpoint },
    rotateEndpoint: {
      ...partner,
      body: { overlap: 3_600 },
      reply: { ...endpoint, secret: 'whsec_…' },
    },
    sendDeliveries: {
      body: { endpoint: 'partner', url: '/hooks/invoices', body: { type: 'invoice.paid', data: { id: 7 } } },
      status: 201,
      reply: { id: '$JOB_ID', queue: 'deliveries', name: 'delivery', state: 'waiting', durability: 'memory' },
    },
    putTarget: {
      ...orders,
      body: { url: 'https://shop.example/orders', schedule: [0, '10s', '1m'], timeout: 5_000 },
      reply: target,
    },
    getTarget: { ...orders, reply: target },
    removeTarget: { ...orders, reply: { queue: 'orders', success: true } },
    removeEndpoint: { ...partner, reply: { name: 'partner', success: true } },
  };
