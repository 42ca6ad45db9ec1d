/** This file owns what the channel tests start from: channels on a real Redis, and readers that remember. */
import { type RedisClient, untilReady } from '@sluice/redis';
import { type TestContext, type TestRedis, testRedis } from '@sluice/redis/testing';
import { JsonText } from '@sluice/runtime';
import { Channels, type ChannelsOptions } from '../src/channels.ts';
import type { ChannelEvent } from '../src/message.ts';
import type { Subscription } from '../src/subscription.ts';

export type Tuning = Partial<Omit<ChannelsOptions, 'client' | 'subscriber' | 'keys'>>;

export interface Setup {
  channels: Channels;
  redis: TestRedis;
  subscriber: RedisClient;
  /** The same channels as another process sees them. */
  another(): Promise<Channels>;
}

export async function setup(t: TestContext, tuning: Tuning = {}): Promise<Setup> {
  const redis = await testRedis(t);
  const open = async () => {
    const subscriber = redis.connect('subscriber');
    await untilReady(subscriber, 5_000);
    const channels = new Channels({ client: redis.client, subscriber, keys: redis.keys, ...tuning });
    channels.start();
    t.onTestFinished(() => channels.stop());
    return { channels, subscriber };
  };
  const first = await open();
  return { ...first, redis, another: async () => (await open()).channels };
}

export const json = (value: unknown) => new JsonText(JSON.stringify(value));

/** Takes until `count` events have come or `deadlineMs` has passed, or the reader has ended. */
export async function takeAll(
  reader: Subscription,
  count: number,
  deadlineMs = 5_000,
): Promise<ChannelEvent[]> {
  const taken: ChannelEvent[] = [];
  const deadline = performance.now() + deadlineMs;
  while (taken.length < count && !reader.ending && performance.now() < deadline) {
    taken.push(...(await reader.take(Math.max(1, deadline - performance.now()))));
  }
  return taken;
}

/** The values of messages, `gap` for gaps. */
export function valuesOf(events: readonly ChannelEvent[]): unknown[] {
  return events.map((event) => (event.kind === 'gap' ? 'gap' : (JSON.parse(event.text) as unknown)));
}

/** The names that somebody is subscribed to, of this test's prefix. */
export async function topicsOf({ client, prefix }: TestRedis): Promise<string[]> {
  return (await client.call('PUBSUB', 'CHANNELS', `${prefix}*`)) as string[];
}
