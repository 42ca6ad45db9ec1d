/** This file owns a cache service as a record: read by the rules of the services file, its passwords sealed, told without them. */
import { parseService, type RolesConfig, type ServiceConfig, type ServiceText } from '@sluice/config';
import { DomainError, sealFor } from '@sluice/runtime';
import type { Issue, Recorded } from './book.ts';
import type { StoredRecord } from './registry.ts';

/** What is stored of a service: all that was given but its passwords, which are sealed for this service. */
export interface ServiceBody {
  definition: ServiceText;
  sealed: Partial<Record<SecretName, string>>;
}

export interface ServiceSecrets {
  /** 32 bytes that Redis never sees. */
  secret: Buffer;
  roles: Pick<RolesConfig, 'redis'>;
}

type SecretName = 'password' | 'sentinel_password';
type Members = Record<string, unknown>;

/** What is told of a service and not a part of it: whoever sends back what he was told need not take it out. */
const TOLD_MEMBERS = [
  'origin',
  'mutable',
  'deletable',
  'version',
  'created_date',
  'created_by',
  'last_modified_date',
  'last_modified_by',
  'problem',
];

export function recordedServices({ secret, roles }: ServiceSecrets): Recorded<ServiceBody> {
  return {
    kind: 'service',
    noun: 'cache service',
    read(given) {
      const read = parseService(withoutTold(given), roles);
      if ('faults' in read) {
        return {
          issues: read.faults.map(
            ({ name, got, wanted }): Issue => ({ path: name, message: `got ${got}, wanted ${wanted}` }),
          ),
        };
      }
      return { name: read.definition.name, body: sealed(read.definition, secret) };
    },
    told: toldService,
  };
}

/** The service ready for use. Throws `secret_changed` when its passwords were sealed with another master secret. */
export function serviceConfigOf(
  record: Pick<StoredRecord, 'name' | 'body'>,
  { secret, roles }: ServiceSecrets,
): ServiceConfig {
  const read = parseService(opened(record.body as ServiceBody, secret), roles);
  if ('config' in read) return read.config;
  // A later version may have stored what this one does not know.
  const faults = read.faults.map(({ name, got, wanted }) => `${name}: got ${got}, wanted ${wanted}`);
  throw new TypeError(`the record of cache service '${record.name}' cannot be used: ${faults.join('; ')}`);
}

/** `patch` as a JSON Merge Patch (RFC 7396): what it does not name stays, `null` removes. */
export function patchService(body: ServiceBody, patch: unknown, secret: Buffer): unknown {
  return merged(opened(body, secret, withoutTold(patch)), withoutTold(patch));
}

/** `given` in the place of all that was there, except for passwords that it does not name; `null` removes one. */
export function replaceService(body: ServiceBody, given: unknown, secret: Buffer): unknown {
  const next = structuredClone(withoutTold(given));
  if (!isObject(next)) return next;
  const kept = opened(body, secret, next);
  const config = isObject(next.config) ? next.config : {};
  const options = isObject(config.options) ? config.options : {};
  if (kept.config.password && config.password === undefined)
    next.config = { ...config, password: kept.config.password };
  const { sentinel_password: sentinelPassword } = kept.config.options;
  // A service without Sentinels has no use for their password.
  if (sentinelPassword && options.sentinel_password === undefined && options.sentinels !== undefined) {
    next.config = {
      ...(next.config ?? config),
      options: { ...options, sentinel_password: sentinelPassword },
    };
  }
  return next;
}

/** `has_password` in the place of the password. */
export function toldService({ definition, sealed }: ServiceBody): Members {
  const { config, ...service } = definition;
  const { options, ...connection } = config;
  return {
    ...service,
    label: service.label ?? service.name,
    description: service.description ?? '',
    config: {
      ...connection,
      has_password: sealed.password !== undefined,
      options: { ...options, ...(sealed.sentinel_password !== undefined && { has_sentinel_password: true }) },
    },
  };
}

function sealed(definition: ServiceText, secret: Buffer): ServiceBody {
  const { password, options, ...config } = definition.config;
  const { sentinel_password: sentinelPassword, ...others } = options;
  const seal = (name: SecretName, text: unknown) =>
    typeof text === 'string' && text !== ''
      ? { [name]: sealFor(secret, placeOf(definition.name, name)).seal(text) }
      : {};
  return {
    definition: { ...definition, config: { ...config, options: others } },
    sealed: { ...seal('password', password), ...seal('sentinel_password', sentinelPassword) },
  };
}

/** With its passwords, but those that `replacement` names: they need not open. */
function opened(body: ServiceBody, secret: Buffer, replacement: unknown = {}): ServiceText {
  const { definition, sealed } = body;
  const config = memberOf(replacement, 'config');
  const open = (name: SecretName, isReplaced: boolean) => {
    const text = sealed[name];
    if (text === undefined || isReplaced) return undefined;
    try {
      return sealFor(secret, placeOf(definition.name, name)).open(text);
    } catch (cause) {
      throw new DomainError(
        'secret_changed',
        `The ${name.replace('_', ' ')} of cache service '${definition.name}' was stored with another master secret; set it anew.`,
        { cause },
      );
    }
  };
  const password = open('password', memberOf(config, 'password') !== undefined);
  const options = memberOf(config, 'options');
  const sentinelPassword = open('sentinel_password', memberOf(options, 'sentinel_password') !== undefined);
  return {
    ...definition,
    config: {
      ...definition.config,
      ...(password !== undefined && { password }),
      options: {
        ...definition.config.options,
        ...(sentinelPassword !== undefined && { sentinel_password: sentinelPassword }),
      },
    },
  };
}

function placeOf(service: string, name: SecretName): string {
  return `service:${service}:${name}`;
}

function withoutTold(given: unknown): unknown {
  if (!isObject(given)) return given;
  const own = Object.fromEntries(Object.entries(given).filter(([name]) => !TOLD_MEMBERS.includes(name)));
  if (!isObject(own.config)) return own;
  const { has_password: _, ...config } = own.config;
  if (!isObject(config.options)) return { ...own, config };
  const { has_sentinel_password: __, ...options } = config.options;
  return { ...own, config: { ...config, options } };
}

function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const members = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name);
    else members.set(name, merged(members.get(name), value));
  }
  return Object.fromEntries(members);
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
