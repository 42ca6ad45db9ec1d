/** A worker of deliveries for tests to kill: prefix and master secret (hex) are its arguments, its lock is half a second. */
import { keyspace } from '@sluice/config';
import { DELIVERY_QUEUE } from '@sluice/delivery';
import { Catalog } from '@sluice/jobs';
import { JobWorker } from '@sluice/jobs/worker';
import { connect } from '@sluice/redis';
import { testRedisConfig } from '@sluice/redis/testing';
import { createLog } from '@sluice/runtime';
import { Dispatch } from '../../src/deliveries/dispatch.ts';
import { type Network, parseNetwork } from '../../src/egress/address.ts';
import { EgressGuard } from '../../src/egress/guard.ts';

const [prefix = '', master = ''] = process.argv.slice(2);
const redis = testRedisConfig();
const keys = keyspace(prefix, { isCluster: false });
const probe = connect({ config: redis, profile: 'request', name: 'mortal' });
const log = createLog({ name: 'mortal', level: 'silent' });
const networks = [parseNetwork('127.0.0.1') as Network];
const dispatch = new Dispatch({
  redis,
  keys,
  probe,
  master: Buffer.from(master, 'hex'),
  egress: new EgressGuard({ allowance: { networks, hosts: [], ports: [] } }),
  log,
});
new JobWorker({
  queue: DELIVERY_QUEUE,
  redis,
  keys,
  catalog: new Catalog([{ job: dispatch.job, origin: 'test' }]),
  probe,
  log,
  timing: { lockMs: 500, stalledCheckMs: 100 },
});
