import { expect, test } from 'vitest';
import { Metrics } from '../src/index.ts';

test('metrics of two instances know nothing of one another', async () => {
  const [one, other] = [new Metrics({ processMetrics: false }), new Metrics({ processMetrics: false })];
  one.counter('sluice_jobs_total', 'Jobs.', ['outcome']).inc({ outcome: 'completed' }, 2);
  other.counter('sluice_jobs_total', 'Jobs.');

  expect(await one.text()).toContain('sluice_jobs_total{outcome="completed"} 2\n');
  expect(await other.text()).toContain('sluice_jobs_total 0\n');
});

test('a gauge is asked at each scrape', async () => {
  const metrics = new Metrics({ processMetrics: false });
  let waiting = 0;
  metrics.gauge('sluice_jobs_waiting', 'Waiting.', [], (gauge) => {
    waiting += 1;
    gauge.set(waiting);
  });

  await metrics.text();

  expect(await metrics.text()).toContain('sluice_jobs_waiting 2\n');
});

test("Node's own figures are there unless unwanted", async () => {
  expect(await new Metrics().text()).toContain('sluice_nodejs_eventloop_lag_seconds');
  expect(await new Metrics({ processMetrics: false }).text()).toBe('\n');
});

test('a histogram counts by its buckets', async () => {
  const metrics = new Metrics({ processMetrics: false });
  metrics.histogram('sluice_wait_seconds', 'Wait.', [], [0.1, 1]).observe(0.5);

  expect(await metrics.text()).toContain(
    'sluice_wait_seconds_bucket{le="0.1"} 0\nsluice_wait_seconds_bucket{le="1"} 1\n',
  );
});
