import { expect, test } from 'vitest';
import { keyspace } from '../src/index.ts';

test('each area has its root under the prefix', () => {
  expect(keyspace('app', { isCluster: false }).root('cache')).toBe('app:cache');
});

test("a queue's prefix holds no colon, for BullMQ splits its keys there", () => {
  expect(keyspace('app', { isCluster: false }).queuePrefix('mail')).toBe('app-queue');
  expect(keyspace('app', { isCluster: true }).queuePrefix('mail')).toBe('{app-queue.mail}');
});
