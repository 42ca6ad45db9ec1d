export { Channels, type ChannelsOptions, type Keep } from './channels.ts';
export type { ChannelEvent, Gap, Message } from './message.ts';
export { CHANNEL_ERROR_CODES, type ChannelErrorCode } from './schemas.ts';
export type { Ending, Subscription } from './subscription.ts';
