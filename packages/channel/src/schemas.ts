/** This file owns the words of channels: names, positions, bounds, error codes. */
import { z } from 'zod';

/**
 * - `channel_message_too_large` longer than a reader's buffer may be
 * - `channel_position_invalid` no id that a message of a channel ever had
 * - `channel_readers_full` this process serves as many readers as it may
 * - `channel_readers_of_key_full` this key has as many readers open as it may
 */
export const CHANNEL_ERROR_CODES = [
  'channel_message_too_large',
  'channel_position_invalid',
  'channel_readers_full',
  'channel_readers_of_key_full',
] as const;
export type ChannelErrorCode = (typeof CHANNEL_ERROR_CODES)[number];

export const MAX_MESSAGE_BYTES = 64 * 1024;
/** With the longest messages a log of 64 MiB. */
export const MAX_KEPT_MESSAGES = 1_000;
export const MAX_KEPT_SECONDS = 7 * 86_400;

/** No braces, which would move the hash tag; no `*`, which ends a scope. */
export const channelNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, {
    message: 'is 1 to 128 letters, digits, dots, colons, underscores or hyphens',
  })
  .meta({ example: 'orders' });

/** A Redis stream id; `0` is before everything that is kept. */
export const POSITION_PATTERN = /^(0|\d{1,16}-\d{1,10})$/;
export const positionSchema = z.string().regex(POSITION_PATTERN, { message: 'is no id of a message' });
