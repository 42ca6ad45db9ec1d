/** This file owns endpoints: receivers with a name, their settings, and the secrets that sign what is sent to them. */
import type { Keyspace } from '@sluice/config';
import type { RedisClient } from '@sluice/redis';
import { DomainError, deriveSecret, sealFor } from '@sluice/runtime';
import { deliveryKeys } from './keys.ts';
import { Records } from './records.ts';
import { readSchedule } from './schedule.ts';
import {
  DEFAULT_ENDPOINT,
  DEFAULT_OVERLAP_SECONDS,
  type DeliveryErrorCode,
  type EndpointSettings,
  type Rotation,
} from './schemas.ts';
import { newSigningSecret } from './signature.ts';

/** Read whole when endpoints are listed, and by no delivery. */
const MAX_ENDPOINTS = 10_000;
/** Each is a signature in a header of every request. */
const MAX_SECRETS = 5;

/** Times are epoch milliseconds; `null` is the default of deliveries. */
interface EndpointRecord {
  url: string | null;
  /** Sealed JSON; `null` for none. */
  headers: string | null;
  headerNames: string[];
  concurrency: number | null;
  schedule: number[] | null;
  jitter: number | null;
  timeoutMs: number | null;
  /** Newest first. `expiresAt` `null`: signs until it is rotated out. */
  secrets: { sealed: string; createdAt: number; expiresAt: number | null }[];
  /** When its receiver said 410. */
  goneAt: number | null;
  createdAt: number;
  updatedAt: number;
}

/** What is told of an endpoint: no secret, and of its headers the names. */
export interface EndpointView extends Omit<EndpointRecord, 'headers' | 'secrets'> {
  name: string;
  secrets: { createdAt: number; expiresAt: number | null }[];
}

/** What sending needs of an endpoint. */
export interface SendingEndpoint extends Pick<EndpointRecord, 'url' | 'concurrency' | 'goneAt'> {
  headers: Record<string, string>;
  /** Newest first. */
  secrets: string[];
}

export type EndpointPlan = Pick<EndpointRecord, 'url' | 'schedule' | 'jitter' | 'timeoutMs' | 'goneAt'>;

export class Endpoints {
  readonly #records: Records<EndpointRecord>;
  readonly #sealingKey: Buffer;

  /** `master` is the installation's secret; API and workers must have the same. */
  constructor(options: { client: RedisClient; keys: Keyspace; master: Buffer }) {
    const { endpoints } = deliveryKeys(options.keys);
    this.#records = new Records({
      client: options.client,
      key: endpoints,
      max: MAX_ENDPOINTS,
      fullCode: 'endpoints_full',
    });
    this.#sealingKey = deriveSecret(options.master, 'delivery secrets');
  }

  /**
   * Makes the endpoint, or changes its settings; an endpoint that was gone is used again. `secret` is told of a new one
   * and never after. Codes: `delivery_invalid` (its secret is another: rotate), `endpoints_full`, `delivery_conflict`.
   */
  async put(
    name: string,
    settings: EndpointSettings,
  ): Promise<{ endpoint: EndpointView; secret: string | undefined }> {
    const { secret: given } = settings;
    const made = given ?? newSigningSecret();
    const schedule = settings.schedule ? readSchedule(settings.schedule) : null;
    let isNew = false;
    const record = await this.#records.change(name, (before) => {
      const now = Date.now();
      isNew = before === undefined;
      if (before && given !== undefined && !this.#openSecrets(name, before).includes(given))
        throw invalid(`endpoint '${name}' has another secret; rotate it to change it`);
      const url = settings.url ?? null;
      return {
        ...this.#headers(name, { ...settings, url }, before),
        url,
        concurrency: settings.concurrency ?? null,
        schedule,
        jitter: settings.jitter ?? null,
        timeoutMs: settings.timeout ?? null,
        secrets: before?.secrets ?? [this.#sealed(name, made, now)],
        goneAt: null,
        createdAt: before?.createdAt ?? now,
        updatedAt: now,
      };
    });
    return { endpoint: view(name, record as EndpointRecord), secret: isNew ? made : undefined };
  }

  /**
   * A new secret signs from now on; those before it sign beside it until the overlap has passed. It is told here and
   * never after. Codes: `endpoint_not_found`, `endpoint_secrets_full`, `delivery_conflict`.
   */
  async rotate(
    name: string,
    { overlap = DEFAULT_OVERLAP_SECONDS, secret = newSigningSecret() }: Rotation = {},
  ): Promise<{ endpoint: EndpointView; secret: string }> {
    const record = await this.#records.change(name, (before) => {
      if (!before) throw notFound(name);
      const now = Date.now();
      const endsAt = now + overlap * 1_000;
      const kept = before.secrets
        .map((each) => ({ ...each, expiresAt: Math.min(each.expiresAt ?? endsAt, endsAt) }))
        .filter(({ expiresAt }) => expiresAt > now);
      if (kept.length >= MAX_SECRETS) {
        throw new DomainError<DeliveryErrorCode>(
          'endpoint_secrets_full',
          `endpoint '${name}' is signed with ${kept.length} secrets already; wait until one of them has ended, or give a shorter overlap`,
        );
      }
      return { ...before, secrets: [this.#sealed(name, secret, now), ...kept], updatedAt: now };
    });
    return { endpoint: view(name, record as EndpointRecord), secret };
  }

  /** Code `endpoint_not_found`. */
  async get(name: string): Promise<EndpointView> {
    const record = await this.#records.get(name);
    if (!record) throw notFound(name);
    return view(name, record);
  }

  /** By name. */
  async list(page: { limit: number; after?: string | undefined }): Promise<EndpointView[]> {
    return (await this.#records.page(page)).map(([name, record]) => view(name, record));
  }

  /** What waits to be sent to it will fail. Code `endpoint_not_found`. */
  async remove(name: string): Promise<void> {
    await this.#records.change(name, (before) => {
      if (!before) throw notFound(name);
      return undefined;
    });
  }

  /** What a delivery to each must know when it is made; the default endpoint comes into being here. Code `endpoint_not_found`. */
  async plans(names: readonly string[]): Promise<Map<string, EndpointPlan>> {
    const plans = new Map<string, EndpointPlan>();
    const records = await this.#records.getMany(names);
    for (const [at, name] of names.entries()) {
      const record = records[at] ?? (name === DEFAULT_ENDPOINT ? await this.#makeDefault() : undefined);
      if (record) plans.set(name, record);
    }
    return plans;
  }

  /** `undefined` when there is none. Throws `TypeError` when its secrets were sealed with another master secret. */
  async forSending(name: string): Promise<SendingEndpoint | undefined> {
    const record = await this.#records.get(name);
    if (!record) return undefined;
    const { url, concurrency, goneAt, headers } = record;
    return {
      url,
      concurrency,
      goneAt,
      headers:
        headers === null
          ? {}
          : (JSON.parse(this.#seal(name, 'headers').open(headers)) as Record<string, string>),
      secrets: this.#openSecrets(name, record),
    };
  }

  /** Its receiver has said 410 at its own URL. Nothing happens when it has been written or removed meanwhile. */
  async markGone(name: string, url: string): Promise<void> {
    await this.#records.change(name, (before) =>
      before && before.url === url ? { ...before, goneAt: Date.now() } : before,
    );
  }

  async #makeDefault(): Promise<EndpointRecord | undefined> {
    return await this.#records.change(DEFAULT_ENDPOINT, (before) => {
      const now = Date.now();
      return (
        before ?? {
          url: null,
          headers: null,
          headerNames: [],
          concurrency: null,
          schedule: null,
          jitter: null,
          timeoutMs: null,
          secrets: [this.#sealed(DEFAULT_ENDPOINT, newSigningSecret(), now)],
          goneAt: null,
          createdAt: now,
          updatedAt: now,
        }
      );
    });
  }

  /** Those before stay when none are given, unless the URL they were for is another now. */
  #headers(
    name: string,
    { headers, url }: { headers?: Record<string, string> | undefined; url: string | null },
    before: EndpointRecord | undefined,
  ): Pick<EndpointRecord, 'headers' | 'headerNames'> {
    if (headers === undefined) {
      const isSameOrigin =
        before?.url != null && url !== null && new URL(before.url).origin === new URL(url).origin;
      return isSameOrigin
        ? { headers: before.headers, headerNames: before.headerNames }
        : { headers: null, headerNames: [] };
    }
    const names = Object.keys(headers).sort();
    if (names.length === 0) return { headers: null, headerNames: [] };
    return { headers: this.#seal(name, 'headers').seal(JSON.stringify(headers)), headerNames: names };
  }

  #sealed(name: string, secret: string, now: number): EndpointRecord['secrets'][number] {
    return { sealed: this.#seal(name, 'secret').seal(secret), createdAt: now, expiresAt: null };
  }

  #openSecrets(name: string, { secrets }: EndpointRecord): string[] {
    const now = Date.now();
    return secrets
      .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
      .map(({ sealed }) => this.#seal(name, 'secret').open(sealed));
  }

  #seal(name: string, what: 'headers' | 'secret') {
    return sealFor(this.#sealingKey, `delivery:endpoint:${name}:${what}`);
  }
}

function view(name: string, record: EndpointRecord): EndpointView {
  const { headers: _sealed, secrets, ...told } = record;
  return {
    name,
    ...told,
    secrets: secrets.map(({ createdAt, expiresAt }) => ({ createdAt, expiresAt })),
  };
}

function notFound(name: string): DomainError<DeliveryErrorCode> {
  return new DomainError('endpoint_not_found', `there is no endpoint '${name}'`);
}

function invalid(message: string): DomainError<DeliveryErrorCode> {
  return new DomainError('delivery_invalid', message);
}
