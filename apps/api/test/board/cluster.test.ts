import { keyspace } from '@sluice/config';
import { close, connect, untilReady } from '@sluice/redis';
import { testCluster } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { FlowProducer, Queue } from 'bullmq';
import { expect, test } from 'vitest';
import { BullQueues } from '../../src/board/bullmq.ts';
import { QueueDirectory } from '../../src/board/directory.ts';
import { Redaction } from '../../src/board/redaction.ts';
import { jobsOn } from './setup.ts';

test('reads queues that are spread over a Cluster', { timeout: 40_000 }, async (t) => {
  const { config } = await testCluster(t);
  const client = connect({ config, profile: 'request', name: 'board' });
  const worker = connect({ config, profile: 'worker', name: 'plant' });
  t.onTestFinished(async () => void (await Promise.all([close(client), close(worker)])));
  const subscriber = connect({ config, profile: 'subscriber', name: 'events' });
  t.onTestFinished(() => close(subscriber));
  await Promise.all([untilReady(client, 10_000), untilReady(worker, 10_000)]);
  const keys = keyspace('board', { isCluster: true });
  const names = ['mail', 'images', 'reports', 'audio'];
  const queues = names.map((name) => new Queue(name, { connection: worker, prefix: keys.queuePrefix(name) }));
  t.onTestFinished(async () => void (await Promise.all(queues.map((queue) => queue.close()))));
  for (const queue of queues) await queue.add('a', { n: 1 }, { jobId: 'j_1' });
  const flows = new FlowProducer({ connection: worker, prefix: keys.queuePrefix('mail') });
  t.onTestFinished(() => flows.close());
  await flows.add({
    name: 'root',
    queueName: 'mail',
    children: [{ name: 'child', queueName: 'mail' }],
    opts: { jobId: 'j_r' },
  });
  const bull = new BullQueues({ client, keys });
  const directory = new QueueDirectory({
    source: {
      names: () => Promise.resolve(names),
      open: (name) => bull.open(name),
      isJobId: () => true,
      jobs: jobsOn(client, { connect: () => subscriber, keys }),
    },
    redaction: new Redaction(),
    log: createLog({ name: 'test', level: 'silent' }),
  });

  const shown = await directory.list({ acts: () => false, sees: () => true });

  for (const queue of shown.values()) {
    expect(await queue.getJobCounts()).toMatchObject({ waiting: queue.getName() === 'mail' ? 2 : 1 });
    expect((await queue.getJob('j_1'))?.toJSON()).toMatchObject({ name: 'a', data: { n: 1 } });
    expect((await queue.getJobs(['waiting'], 0, 9)).length).toBeGreaterThan(0);
  }
  const tree = await (await shown.get('mail')?.getFlowProducer())?.getFlow({ queueName: 'mail', id: 'j_r' });
  expect(tree?.children?.map((child) => child?.job.name)).toEqual(['child']);
});
