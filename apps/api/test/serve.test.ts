import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { routes } from '@sluice/contract';
import { expect, it, vi } from 'vitest';
import { BodyRoom } from '../src/http/body-room.ts';
import { Exchange } from '../src/http/exchange.ts';
import { endpointOf, REQUEST_DEADLINE_MS, serve } from '../src/http/serve.ts';

it('does nothing for a request whose time was over before it began', async () => {
  const outgoing = new ServerResponse(new IncomingMessage(new Socket()));
  const exchange = new Exchange(new IncomingMessage(new Socket()), outgoing, new BodyRoom({ max: 0 }));
  const wrote = vi.spyOn(outgoing, 'writeHead');
  const handler = vi.fn();
  const observe = vi.fn();
  const door = { authenticate: vi.fn(), observe, maxValueBytes: 1, maxBatchBytes: 1 };
  vi.spyOn(performance, 'now').mockReturnValue(exchange.cameAt + REQUEST_DEADLINE_MS);

  await serve(exchange, endpointOf(routes.livez, handler), {}, door);

  expect(wrote).toHaveBeenCalledWith(503, expect.objectContaining({ 'Retry-After': '1' }));
  expect(observe).toHaveBeenCalledWith(expect.objectContaining({ reason: 'overloaded' }));
  expect(handler).not.toHaveBeenCalled();
});
