/** This file owns the words of deliveries: what may be sent where, when it is tried again, endpoints, targets, error codes. */
import { z } from 'zod';

/** The queue of deliveries and the name of their jobs. */
export const DELIVERY_QUEUE = 'deliveries';
export const DELIVERY_JOB = 'delivery';
/** Signs for whoever names no endpoint; made at its first use. */
export const DEFAULT_ENDPOINT = 'default';

/** Waits before each attempt, the first included: ten attempts in 28 hours. */
export const DEFAULT_SCHEDULE_MS: readonly number[] = [
  0, 5_000, 30_000, 120_000, 900_000, 3_600_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000,
];
export const DEFAULT_JITTER = 0.1;
export const DEFAULT_TIMEOUT_MS = 15_000;
/** Requests to one host at the same time, over all workers. */
export const DEFAULT_CONCURRENCY = 20;
/** How long a secret that was rotated out signs beside its successor. */
export const DEFAULT_OVERLAP_SECONDS = 86_400;

export const MAX_DELIVERIES = 1_000;
const MAX_URL_LENGTH = 8_192;
const MAX_HEADERS = 32;
const MAX_HEADERS_LENGTH = 8_192;
const MAX_ATTEMPTS = 50;
const MAX_WAIT_MS = 7 * 86_400_000;
const MAX_DELAY_MS = 365 * 86_400_000;
const MAX_OVERLAP_SECONDS = 30 * 86_400;

/** RFC 9110 §5.6.2 and §5.5: a token; visible characters, spaces and tabs. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** The connection's, the signature's, or said of a request by those who pass it on. */
const RESERVED_HEADERS =
  /^(host|content-length|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|accept-encoding|http2-settings|forwarded|via|x-real-ip|x-forwarded-.*|proxy-.*|webhook-.*|sluice-.*)$/i;

/** Headers that a caller may give a request: at most 32, 8 KiB of them. */
export const headersSchema = z.record(z.string(), z.string()).superRefine((headers, context) => {
  const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS) refuse([], `more than ${MAX_HEADERS} headers`);
  if (entries.flat().join('').length > MAX_HEADERS_LENGTH)
    refuse([], `more than ${MAX_HEADERS_LENGTH} characters of headers`);
  const seen = new Set<string>();
  for (const [name, value] of entries) {
    if (!TOKEN.test(name)) refuse([name], 'is not a header name');
    if (RESERVED_HEADERS.test(name)) refuse([name], 'is set by the sender and cannot be given');
    if (!HEADER_VALUE.test(value)) refuse([name], 'holds a character that a header cannot have');
    if (seen.has(name.toLowerCase())) refuse([name], 'is given twice');
    seen.add(name.toLowerCase());
  }
});

/** Where a request may go, as far as the URL says it; which addresses may be reached is decided where it is sent. */
export function urlFault(text: string): string | undefined {
  if (text.length > MAX_URL_LENGTH) return `is longer than ${MAX_URL_LENGTH} characters`;
  // The parser would drop some of these without a word.
  if (/[\p{Cc}\s\\]|\p{Surrogate}/u.test(text)) return 'holds a space, a backslash or a control character';
  if (!URL.canParse(text)) return 'cannot be read as a URL';
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `begins with ${url.protocol}, not with http: or https:`;
  if (url.username !== '' || url.password !== '')
    return 'holds a user name or password; send them in a header';
  return undefined;
}

export const urlSchema = z.string().superRefine((text, context) => {
  const fault = urlFault(text);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

/** Absolute, or to be read from its endpoint's URL. */
const deliveryUrlSchema = z.string().superRefine((text, context) => {
  const isAbsolute = /^[a-z][a-z0-9+.-]*:/i.test(text);
  const fault = urlFault(isAbsolute ? text : `http://endpoint.invalid/${text}`);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

/** Any but those that are about the connection. */
const methodSchema = z
  .string()
  .toUpperCase()
  .regex(/^(?!(?:CONNECT|TRACE|TRACK)$)[A-Z][A-Z-]{0,19}$/, 'is no method that can be sent');

export const endpointNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/,
    'an endpoint name is 1 to 64 letters, digits, . - or _, and begins with a letter or digit',
  );

/** Milliseconds, or a duration: `'30s'`. */
const waitSchema = z.union([
  z.int().min(0).max(MAX_WAIT_MS),
  z.string().regex(/^\d{1,9}(ms|s|m|h|d)$/, 'is no duration like 30s, 5m or 2h'),
]);

const sendingFields = {
  /** Waits before each attempt, the first included; as many attempts as waits. */
  schedule: z.array(waitSchema).min(1).max(MAX_ATTEMPTS).optional(),
  /** By how much a wait differs at most, both ways; default a tenth. */
  jitter: z.number().min(0).max(0.5).optional(),
  /** Milliseconds for the whole request; default 15 s. */
  timeout: z.int().min(100).max(120_000).optional(),
};

/** Is sent what came of a delivery, as a delivery of its own. */
const callbackSchema = z.union([
  urlSchema,
  z.strictObject({
    url: urlSchema,
    headers: headersSchema.optional(),
    /** Signs it; default `default`. */
    endpoint: endpointNameSchema.optional(),
  }),
]);
export type Callback = z.infer<typeof callbackSchema>;

const requestFields = {
  method: methodSchema.optional(),
  headers: headersSchema.optional(),
  /** Signs the request, and has settings for it; default `default`. */
  endpoint: endpointNameSchema.optional(),
  /** `false`: not signed. */
  sign: z.boolean().optional(),
  callback: callbackSchema.optional(),
  failure_callback: callbackSchema.optional(),
  ...sendingFields,
};

const instant = z.iso.datetime({ offset: true });
const plainText = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Surrogate}]*$/u, 'holds a control character or half a surrogate pair');

export const newDeliverySchema = z
  .strictObject({
    url: deliveryUrlSchema.optional().meta({ description: 'Default its endpoint’s' }),
    /** A string is sent as it stands, whatever else as JSON, as it was written. */
    body: z.unknown().optional(),
    ...requestFields,
    delay: z.int().min(0).max(MAX_DELAY_MS).optional(),
    run_at: instant.optional(),
    ttl: z.int().min(1).max(MAX_DELAY_MS).optional(),
    expires_at: instant.optional(),
    priority: z
      .int()
      .min(0)
      .max(2 ** 21 - 1)
      .optional(),
    group: plainText(128).optional().meta({
      description: 'Whose delivery it is: groups take turns. Instead of `priority`',
    }),
    idempotency_key: plainText(255).optional(),
  })
  .superRefine((delivery, context) => {
    const { url, endpoint, sign, delay, run_at, ttl, expires_at, group, priority } = delivery;
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (url === undefined && endpoint === undefined) refuse('url', 'is needed, here or at an endpoint');
    if (sign === false && endpoint !== undefined)
      refuse('sign', 'stands beside endpoint: an endpoint is there to sign');
    if (delay !== undefined && run_at !== undefined) refuse('run_at', 'stands beside delay: give one');
    if (group !== undefined && priority !== undefined) refuse('priority', 'stands beside group: give one');
    if (ttl !== undefined && expires_at !== undefined) refuse('expires_at', 'stands beside ttl: give one');
  });
export type NewDelivery = z.infer<typeof newDeliverySchema>;

/** `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks has them. */
export const signingSecretSchema = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/, 'is not whsec_ and 24 to 64 bytes in base64');

/** Headers stay when absent, since their values are never told again. */
export const endpointSchema = z
  .strictObject({
    url: urlSchema.optional().meta({ description: 'Deliveries go here, or to a URL below its origin' }),
    headers: headersSchema.optional().meta({ description: 'Sealed; never told again. Absent: unchanged' }),
    concurrency: z.int().min(1).max(256).optional(),
    ...sendingFields,
    secret: signingSecretSchema.optional().meta({ description: 'Of a new endpoint; default one is made' }),
  })
  .superRefine(({ url, headers }, context) => {
    // Whoever may send would else have them sent wherever they like.
    if (url === undefined && headers !== undefined && Object.keys(headers).length > 0)
      context.addIssue({ code: 'custom', path: ['headers'], message: 'need a url that they are for' });
  });
export type EndpointSettings = z.infer<typeof endpointSchema>;

export const rotationSchema = z.strictObject({
  /** Seconds for which the secret before signs beside the new one; default a day, 0 not at all. */
  overlap: z.int().min(0).max(MAX_OVERLAP_SECONDS).optional(),
  secret: signingSecretSchema.optional(),
});
export type Rotation = z.infer<typeof rotationSchema>;

export const targetSchema = z
  .strictObject({ url: deliveryUrlSchema.optional(), ...requestFields })
  .superRefine(({ url, endpoint, sign }, context) => {
    if (url === undefined && endpoint === undefined)
      context.addIssue({ code: 'custom', path: ['url'], message: 'is needed, here or at an endpoint' });
    if (sign === false && endpoint !== undefined)
      context.addIssue({ code: 'custom', path: ['sign'], message: 'stands beside endpoint' });
  });
export type TargetSettings = z.infer<typeof targetSchema>;

/**
 * - `delivery_invalid` where or when to send cannot be used together with its endpoint
 * - `endpoint_not_found` `target_not_found` none of this name
 * - `endpoint_gone` its receiver said 410 Gone; write the endpoint again to use it again
 * - `endpoint_secrets_full` so many secrets sign already; wait until one has ended
 * - `endpoints_full` `targets_full` the installation holds as many as it may
 * - `delivery_conflict` somebody else wrote it at the same time, again and again
 */
export const DELIVERY_ERROR_CODES = [
  'delivery_invalid',
  'endpoint_not_found',
  'endpoint_gone',
  'endpoint_secrets_full',
  'endpoints_full',
  'target_not_found',
  'targets_full',
  'delivery_conflict',
] as const;
export type DeliveryErrorCode = (typeof DELIVERY_ERROR_CODES)[number];
