import { DELIVERY_QUEUE } from '@sluice/delivery';
import { expect, it, vi } from 'vitest';
import { type Received, receiver, setup, verify } from './setup.ts';

const body = (request: Received | undefined) => JSON.parse(request?.body ?? '{}') as Record<string, unknown>;

const FACTS = {
  queue: DELIVERY_QUEUE,
  jobId: 'j_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  name: 'delivery',
  attempt: 1,
  maxAttempts: 10,
  lostDeliveries: 0,
  isFirstStart: true,
  timeoutMs: undefined,
  expiresAt: undefined,
};

it('a delivery that succeeded tells so, signed, as a delivery of its own', async (t) => {
  const { endpoints, send, ended } = await setup(t);
  const { secret = '' } = await endpoints.put('mine', {});
  const target = await receiver(t, (response) => void response.writeHead(201).end('made'));
  const told = await receiver(t);
  const failures = await receiver(t);

  const id = await send({
    url: target.url,
    body: { a: 1 },
    callback: { url: told.url, endpoint: 'mine', headers: { 'x-mine': '1' } },
    failure_callback: failures.url,
  });

  const [request] = await told.first(1);
  if (request) verify(secret, request);
  expect(request?.headers['x-mine']).toBe('1');
  expect(request?.headers['webhook-id']).not.toBe(id);
  expect(body(request)).toEqual({
    type: 'delivery.succeeded',
    timestamp: expect.stringMatching(/^\d{4}-/),
    data: {
      id,
      queue: 'deliveries',
      name: 'delivery',
      url: target.url,
      method: 'POST',
      endpoint: 'default',
      attempts: 1,
      status: 201,
      error: null,
      response: {
        headers: { date: expect.any(String) },
        body: 'made',
        body_encoding: 'utf8',
        truncated: false,
      },
    },
  });
  await ended(id);
  expect(failures.received).toEqual([]);
});

it('a delivery that failed for good tells so once, with its last answer', async (t) => {
  const { send, ended } = await setup(t);
  const target = await receiver(
    t,
    (response, before) => void response.writeHead(before < 1 ? 500 : 404).end('no'),
  );
  const told = await receiver(t);
  const successes = await receiver(t);

  const id = await send({
    url: target.url,
    schedule: [0, 1, 1, 1],
    callback: successes.url,
    failure_callback: told.url,
  });
  await ended(id);
  const last = await send({ url: target.url, schedule: [0], failure_callback: told.url });
  await ended(last);

  const requests = await told.first(2);
  expect(requests.map((request) => body(request))).toMatchObject([
    {
      type: 'delivery.failed',
      data: {
        id,
        attempts: 2,
        status: 404,
        error: { code: 'fatal', message: 'answered 404' },
        response: { body: 'no' },
      },
    },
    { type: 'delivery.failed', data: { id: last, attempts: 1 } },
  ]);
  expect(successes.received).toEqual([]);
});

it('an exhausted schedule and an address that may not be reached are told as failures', async (t) => {
  const { send } = await setup(t);
  const target = await receiver(t, (response) => void response.writeHead(500).end());
  const told = await receiver(t);

  const exhausted = await send({ url: target.url, schedule: [0, 1], failure_callback: told.url });
  const refused = await send({ url: 'http://10.0.0.1/', failure_callback: told.url });

  const requests = (await told.first(2)).map((request) => body(request).data as Record<string, unknown>);
  const of = (id: string) => requests.find((each) => each.id === id);
  expect(of(exhausted)).toMatchObject({ attempts: 2, status: 500, error: { code: 'error' } });
  expect(of(refused)).toMatchObject({ attempts: 1, status: null, response: null, error: { code: 'fatal' } });
});

it('a delivery that was cancelled tells nobody', async (t) => {
  const { send, jobs, ended } = await setup(t);
  const target = await receiver(t, () => undefined);
  const told = await receiver(t);
  const id = await send({ url: target.url, callback: told.url, failure_callback: told.url });
  await target.first(1);

  await jobs.cancel(DELIVERY_QUEUE, id);

  expect((await ended(id)).state).toBe('cancelled');
  expect((await jobs.queue(DELIVERY_QUEUE)).counts).toMatchObject({ waiting: 0, delayed: 0, completed: 0 });
  expect(told.received).toEqual([]);
});

it('a callback is in Redis before its delivery has ended, and only once when the end is lost', async (t) => {
  const { jobs, deliveries, dispatch, job } = await setup(t);
  const told = await receiver(t);
  const { data } = await job({ url: told.url, sign: false, callback: told.url });
  const { after } = dispatch.middleware;
  const facts = { ...FACTS, payload: data };
  const result = {
    status: 200,
    duration_ms: 1,
    headers: {},
    body: '',
    body_encoding: 'utf8',
    truncated: false,
  };
  expect(deliveries.isProven(data)).toBe(true);

  await after?.(facts, { kind: 'completed', result }, 1);
  // Another worker has sent it again, and got another answer.
  await after?.(facts, { kind: 'completed', result: { ...result, body: 'again' } }, 1);

  await told.first(1);
  await vi.waitFor(async () =>
    expect((await jobs.queue(DELIVERY_QUEUE)).counts).toMatchObject({ waiting: 0, active: 0, completed: 1 }),
  );
  expect(told.received).toHaveLength(1);
});

it('a delivery that ends without having run here is told as well, and what is not proven is not', async (t) => {
  const { job, dispatch } = await setup(t);
  const told = await receiver(t);
  const { data } = await job({ url: told.url, failure_callback: told.url });
  const failure = { code: 'max_deliveries', message: 'delivered 10 times without an outcome' } as const;
  const end = { kind: 'fail', failure, error: undefined } as const;

  await dispatch.middleware.after?.({ ...FACTS, payload: { ...data, proof: 'x' } }, end, 0);
  await dispatch.middleware.after?.({ ...FACTS, payload: data }, end, 0);

  const [request] = await told.first(1);
  expect(body(request)).toMatchObject({
    type: 'delivery.failed',
    data: { id: FACTS.jobId, status: null, response: null, error: failure },
  });
});
