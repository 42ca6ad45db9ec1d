/** This file owns the answers about channels. */
import type { KeyRing } from '@sluice/access';
import type { ChannelEvent, Channels, Subscription } from '@sluice/channel';
import type { routes } from '@sluice/contract';
import type { JsonText } from '@sluice/runtime';
import type { Handlers } from '../http/call.ts';
import { eventStream, type Feed, type ServerEvent } from '../http/event-stream.ts';
import { json } from '../http/reply.ts';

type ChannelRoutes = Pick<typeof routes, 'publishMessage' | 'subscribeChannel'>;

export function channelHandlers(services: {
  channels: Channels;
  keyRing: KeyRing;
  stopping: AbortSignal;
}): Handlers<ChannelRoutes> {
  const { channels, keyRing, stopping } = services;
  return {
    publishMessage: async ({ params, body }) => {
      const keep = body.keep ? { count: body.keep.count, ms: body.keep.seconds * 1_000 } : null;
      const id = await channels.publish(params.channel, body.message as JsonText, keep);
      return json(200, { success: true, id });
    },
    subscribeChannel: async (call) => {
      const { channel } = call.params;
      const { id } = call.principal;
      // The header is a browser's that comes back, and knows better than the address it first asked for.
      const after = call.header('last-event-id') || call.query.last_event_id;
      const subscription = await channels.subscribe({ channel, owner: id, after });
      return eventStream({
        feed: feedOf(subscription),
        position: subscription.position,
        stopping,
        isAllowed: () => keyRing.principal(id)?.grants.allows('channels', 'subscribe', channel) ?? false,
      });
    },
  };
}

function feedOf(subscription: Subscription): Feed {
  return {
    take: async (waitMs) => (await subscription.take(waitMs)).map(eventOf),
    get ending() {
      return subscription.ending;
    },
    end: () => subscription.end('stopped'),
  };
}

function eventOf(event: ChannelEvent): ServerEvent {
  if (event.kind === 'gap') return { name: 'gap', data: JSON.stringify({ after: event.after }) };
  return { id: event.id, data: event.text };
}
