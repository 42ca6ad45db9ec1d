import type { RedisFigures } from '@sluice/redis';
import { expect, test } from 'vitest';
import { redisFiguresOf } from '../../src/console/redis-figures.ts';

const WELL: RedisFigures = {
  usedMemoryBytes: 79,
  maxMemoryBytes: 100,
  memoryUse: 0.79,
  evictionPolicy: 'noeviction',
  connectedClients: 80,
  maxClients: 100,
  clientUse: 0.8,
  rejectedConnections: 0,
  keyspaceHits: 900,
  keyspaceMisses: 100,
  hitRatio: 0.9,
  evictedKeys: 0,
  expiredKeys: 0,
  isAofOn: true,
  isAofWritten: true,
  isSnapshotWritten: true,
  lastSnapshotAtSeconds: 0,
  changesSinceSnapshot: 0,
  connectedReplicas: 1,
  isReplica: false,
  isLinkUp: true,
  uptimeSeconds: 60,
};

function statesOf(figures: Partial<RedisFigures>): Record<string, string> {
  const told = redisFiguresOf([{ roles: ['queue'], isUp: true, figures: { ...WELL, ...figures } }]);
  return Object.fromEntries(
    [...told].flatMap(([name, { state }]) => (state ? [[name.replace('redis:queue:', ''), state]] : [])),
  );
}

test.for<[string, Partial<RedisFigures>, Record<string, string>]>([
  ['nothing', {}, {}],
  ['memory above 80 %', { memoryUse: 0.81 }, { memory: 'bad' }],
  ['clients above 80 %', { clientUse: 0.81 }, { clients: 'bad' }],
  ['any eviction', { evictedKeys: 1 }, { evicted: 'bad' }],
  ['many misses', { hitRatio: 0.49 }, { hits: 'warn' }],
  ['few reads', { hitRatio: 0.1, keyspaceHits: 1, keyspaceMisses: 9 }, {}],
  ['snapshots alone', { isAofOn: false }, { persistence: 'warn' }],
  ['a file that cannot be written', { isAofWritten: false }, { persistence: 'bad' }],
  ['a replica', { isReplica: true }, { replication: 'bad' }],
])('is alarmed by %s', ([, figures, states]) => {
  expect(statesOf(figures)).toEqual(states);
});

test('a Redis that is away, or tells nothing, is told so', () => {
  const told = redisFiguresOf([
    { roles: ['cache'], isUp: false, figures: undefined },
    { roles: ['limit'], isUp: true, figures: undefined },
  ]);

  expect([...told]).toEqual([
    ['redis:cache:state', { text: 'away', state: 'bad' }],
    ['redis:limit:state', { text: 'up, tells nothing', state: 'warn' }],
  ]);
});
