/** This file owns the routes of channels: publish, and read as a stream of Server-Sent Events. */
import {
  channelNameSchema,
  MAX_KEPT_MESSAGES,
  MAX_KEPT_SECONDS,
  positionSchema,
} from '@sluice/channel/schemas';
import { z } from 'zod';
import { carriedJson } from '../carried.ts';
import { LAST_EVENT_ID } from '../headers.ts';
import { route } from '../route.ts';

const PATH = '/api/v2/channels/{channel}';
const tag = 'channels';
const params = z.object({ channel: channelNameSchema });

const newMessage = z.strictObject({
  message: carriedJson,
  keep: z
    .strictObject({
      count: z.int().min(1).max(MAX_KEPT_MESSAGES).default(MAX_KEPT_MESSAGES),
      seconds: z.int().min(1).max(MAX_KEPT_SECONDS).default(3_600),
    })
    .optional()
    .meta({
      description: 'Keep the message for readers who come back; without it only those who read now get it',
    }),
});

export const channels = {
  publishMessage: route({
    id: 'publishMessage',
    method: 'post',
    path: PATH,
    tag,
    summary: 'Publish a message to a channel',
    access: { area: 'channels', verb: 'publish', resource: ['channel'] },
    params,
    body: { schema: newMessage, carried: ['message'] },
    replies: {
      200: {
        description: 'Published',
        schema: z.object({
          success: z.literal(true),
          id: z.string().nullable().meta({ description: 'null when it is not kept' }),
        }),
      },
    },
    errors: ['channel_message_too_large'],
  }),
  subscribeChannel: route({
    id: 'subscribeChannel',
    method: 'get',
    path: PATH,
    tag,
    summary: 'Read a channel as Server-Sent Events',
    description: [
      'Each message is an event whose data is the message as it was published; a kept one has an id.',
      'A reader that comes back with `Last-Event-ID` (browsers do) gets the kept messages since; `event: gap` tells that some may be gone.',
      'The last event says why a stream ends: `overflow` (too slow for messages that are not kept), `redis_unavailable`, `stopped`, `forbidden` (the key lost its right), `renewed` (after half an hour; come back).',
    ].join(' '),
    access: { area: 'channels', verb: 'subscribe', resource: ['channel'] },
    headers: LAST_EVENT_ID,
    params,
    query: z.object({
      last_event_id: positionSchema.optional().meta({
        description: 'As the header Last-Event-ID, for a first connection; `0` for all that is kept',
      }),
    }),
    replies: { 200: { description: 'Events', contentType: 'text/event-stream' } },
    errors: ['channel_position_invalid', 'channel_readers_full', 'channel_readers_of_key_full'],
    isLongPoll: true,
  }),
};
