/** This file owns the limits as configured: the API's own, and those that services share, from the environment and the services file. */
import type { Env } from '@sluice/config';
import { clientAddressBy, Policy, type TrustedProxies } from '@sluice/rate-limit';
import { type Fact, PERIODS_MS, type PolicyInput, policySchema } from '@sluice/rate-limit/schemas';

export interface LimitConfig {
  policies: readonly PolicyInput[];
  /** Which proxies in front may say whose request it is. */
  trustedProxies: TrustedProxies;
  /** Processes that share the limits while Redis is away. */
  instances: number;
}

/** What the door knows of a request. */
export const DOOR_FACTS: readonly Fact[] = ['key', 'session', 'address', 'route', 'service', 'queue'];

/** The `route` of a request whose key is missing or refused. */
export const REFUSED_ROUTE = 'refused';

/** Policies that the quotas of keys make. */
export const QUOTA_PREFIX = 'key-quota.';

/**
 * A key may do 5,000 requests a second for ever, and a minute's worth at once: a loop that has run wild is stopped, and
 * no honest program is. An address may be a gateway with many keys behind it. Without a valid key it is fifty a second: keys are too
 * long to be guessed, so this bounds work, not luck.
 */
const OWN_POLICIES: readonly { variable: string; rate: string; policy: Omit<PolicyInput, 'limit'> }[] = [
  { variable: 'API_LIMIT_PER_KEY', rate: '300000/minute', policy: { name: 'api-per-key', by: ['key'] } },
  {
    variable: 'API_LIMIT_PER_ADDRESS',
    rate: '600000/minute',
    policy: { name: 'api-per-address', by: ['address'] },
  },
  {
    variable: 'API_LIMIT_REFUSED',
    rate: '3000/minute',
    policy: { name: 'api-refused', by: ['address'], match: { route: [REFUSED_ROUTE] } },
  },
];

const EXAMPLE_POLICY = '{"name": "writes", "limit": 600, "period": "minute"}';

/**
 * Reads `API_LIMIT_*` (`600/minute`, `50/10s` or `off`), `TRUSTED_PROXIES` (how many, or their CIDRs), `LIMIT_INSTANCES`
 * and the `limits` of the services file. A policy there with the name of one of ours takes its place. Faults stay in
 * `env` until `env.finish()`.
 */
export function readLimits(env: Env, file: { text: string | undefined; origin: string }): LimitConfig {
  const written = readPolicies(env, file);
  const names = new Set(written.map(({ name }) => name));
  const own = OWN_POLICIES.flatMap(({ variable, rate, policy }) => {
    const limit = readRate(env, variable, rate);
    return limit && !names.has(policy.name) ? [{ ...policy, ...limit, prepay: ahead(limit) }] : [];
  });
  return {
    policies: [...own, ...written],
    trustedProxies: readTrustedProxies(env),
    instances: env.integer('LIMIT_INSTANCES', 1, { min: 1, max: 10_000 }),
  };
}

/**
 * What a process takes ahead: a tenth of a second of a minute's limit, so that a busy key asks Redis ten times a second
 * and not five thousand. A window may be exceeded by so many, each 600th; a limit below 600 is exact.
 */
function ahead({ limit }: { limit: number }): number {
  return Math.floor(limit / 600);
}

/** `undefined`: off. */
function readRate(env: Env, name: string, fallback: string): { limit: number; period: string } | undefined {
  const text = env.text(name, fallback, {
    pattern: new RegExp(`^(off|[1-9]\\d{0,8}/(${Object.keys(PERIODS_MS).join('|')}|[1-9]\\d{0,5}[smhd]))$`),
    wanted: 'so many in a period, or off',
    example: fallback,
  });
  const [limit, period] = text.split('/');
  return period === undefined ? undefined : { limit: Number(limit), period };
}

function readTrustedProxies(env: Env): TrustedProxies {
  const list = env.list('TRUSTED_PROXIES');
  const [only] = list;
  const proxies = only === undefined ? 0 : list.length === 1 && /^\d{1,2}$/.test(only) ? Number(only) : list;
  try {
    clientAddressBy(proxies);
    return proxies;
  } catch (error) {
    const got = (error as Error).message;
    env.fault({
      name: 'TRUSTED_PROXIES',
      got,
      wanted: 'a number of proxies, or their CIDRs',
      example: 'TRUSTED_PROXIES=1',
    });
    return 0;
  }
}

/** The file has been judged as JSON and as a list before; a text that was not is no list here. */
function readPolicies(
  env: Env,
  { text, origin }: { text: string | undefined; origin: string },
): PolicyInput[] {
  const written = listOf(text);
  const names = new Set<string>();
  return written.filter((input, index): input is PolicyInput => {
    const where = `${origin} limits[${index}]`;
    const faults = policyFaults(input);
    for (const { path, message } of faults) {
      env.fault({
        name: `${where}${path}`,
        got: 'a faulty policy',
        wanted: message,
        example: EXAMPLE_POLICY,
      });
    }
    if (faults.length > 0) return false;
    const { name } = input as PolicyInput;
    if (names.has(name)) {
      env.fault({
        name: `${where}.name`,
        got: `'${name}' once more`,
        wanted: 'a name of its own',
        example: EXAMPLE_POLICY,
      });
    }
    return names.size < names.add(name).size;
  });
}

function listOf(text: string | undefined): unknown[] {
  try {
    const { limits } = JSON.parse(text?.replace(/^\uFEFF/, '') ?? '{}') as { limits?: unknown };
    return Array.isArray(limits) ? limits : [];
  } catch {
    // Told as a fault by whoever read the services.
    return [];
  }
}

/** What is wrong with a policy, whoever wrote it: each fault with the path of its field, as in `.by`. */
export function policyFaults(input: unknown): { path: string; message: string }[] {
  const { data, error } = policySchema.safeParse(input);
  if (error) {
    return error.issues.map(({ path, message }) => ({
      path: path.map((part) => `.${String(part)}`).join(''),
      message,
    }));
  }
  if (data.name.startsWith(QUOTA_PREFIX))
    return [{ path: '.name', message: `another beginning than ${QUOTA_PREFIX}, which quotas of keys have` }];
  const unknown = data.by?.filter((fact) => !DOOR_FACTS.includes(fact)) ?? [];
  if (unknown.length > 0) {
    return [{ path: '.by', message: `some of ${DOOR_FACTS.join(', ')}, which this API knows of a request` }];
  }
  try {
    new Policy(input as PolicyInput);
    return [];
  } catch (fault) {
    return [{ path: '', message: (fault as Error).message }];
  }
}
