import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type Cleaner, OwnRedis, startProduct, until } from './product.ts';
import { startReceiver } from './receiver.ts';

interface Span {
  service: string;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  attributes: Record<string, unknown>;
}

interface Payload {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: (Omit<Span, 'attributes' | 'service'> & { attributes: Attribute[] })[] }[];
  }[];
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

function valuesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** A collector that keeps what it is sent: OTLP over HTTP, as JSON. */
async function collector(t: Cleaner): Promise<{ url: string; spans: Span[] }> {
  const spans: Span[] = [];
  const url = await startReceiver(t, (request, text) => {
    if (request.url !== '/v1/traces') return;
    for (const { resource, scopeSpans } of (JSON.parse(text) as Payload).resourceSpans) {
      const service = String(valuesOf(resource.attributes)['service.name']);
      for (const span of scopeSpans.flatMap((scope) => scope.spans))
        spans.push({ ...span, service, attributes: valuesOf(span.attributes) });
    }
  });
  return { url, spans };
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const headers = { traceparent: `00-${TRACE}-${CALLER}-01` };
const JOB = '/queues/mail/jobs?wait=20';
const json = {
  name: 'example.echo',
  data: { say: 'hello', failures: 1 },
  opts: { attempts: 2 },
};

describe('a trace', () => {
  it('goes from the caller through the API and the queue to each attempt', {
    timeout: 90_000,
  }, async (t) => {
    const redis = await OwnRedis.start(t);
    const { url, spans } = await collector(t);
    const product = await startProduct(t, redis.url, {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_BSP_SCHEDULE_DELAY: '100',
    });

    const done = await product.call(JOB, { method: 'POST', headers, json });
    const { id } = (await done.json()) as { id: string };
    const ours = await until(() => {
      const found = spans.filter((span) => span.traceId === TRACE);
      return found.length >= 3 ? found : undefined;
    }, 20_000);

    const [request] = ours.filter(({ service }) => service === 'sluice-api');
    const attempts = ours.filter(({ service }) => service === 'sluice-worker');
    expect(request).toMatchObject({
      name: 'POST /api/v2/queues/{queue}/jobs',
      parentSpanId: CALLER,
      attributes: { 'http.response.status_code': done.status, 'sluice.operation': 'enqueueJobs' },
    });
    expect(attempts.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
      ['process mail', request?.spanId],
      ['process mail', request?.spanId],
    ]);
    expect(attempts.map(({ attributes }) => attributes['sluice.job.outcome']).sort()).toEqual([
      'completed',
      'retry',
    ]);
    expect(attempts[0]?.attributes).toMatchObject({
      'messaging.message.id': id,
      'sluice.job.name': 'example.echo',
    });
    expect(JSON.stringify(ours)).not.toContain('hello');
  });

  it('is nowhere unless it is asked for', { timeout: 90_000 }, async (t) => {
    const redis = await OwnRedis.start(t);
    const product = await startProduct(t, redis.url);

    const done = await product.call(JOB, { method: 'POST', headers, json });
    const { id } = (await done.json()) as { id: string };
    const entry = ['--no-auth-warning', '-u', redis.url];
    const { stdout } = spawnSync('redis-cli', [...entry, '--scan', '--pattern', `*:mail:${id}`]);
    const key = String(stdout).trim();
    const stored = spawnSync('redis-cli', [...entry, 'HGETALL', key]).stdout.toString();

    expect(done.ok).toBe(true);
    expect(stored).toContain('example.echo');
    expect(stored).not.toContain(TRACE);
  });
});
