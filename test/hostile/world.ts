/**
 * This file owns what a run knows of the world it has made: names that mean something, and things that earlier answers
 * left behind, so that later requests find a job, a lease or a session and not only 404s.
 */
import type { Operation } from './document.ts';
import type { Random } from './random.ts';
import type { Hints } from './values.ts';

/** Fields that belong together: the queue and the id of one job. `headers` go along with the request. */
export interface Thing {
  fields: Readonly<Record<string, unknown>>;
  headers?: Readonly<Record<string, string>>;
}

/** Requests that follow from each other, about things of names that no others use. */
export interface Errand {
  /** For every field that names something. */
  names: Readonly<Record<string, string>>;
  /** What its requests have made, by kind. */
  things: Map<string, Thing>;
}

type Json = Record<string, unknown>;

const MAX_THINGS = 40;
const QUEUES = ['mail', 'reports'];
const NAMES = ['one', 'two', 'three'];
const KEYS = ['a', 'b', 'user:1', 'x/y'];
const SECONDS = 1_000;
/** For nobody's requests, so that the run goes on; POST /limits/{policy}/consume asks by name. */
const NOBODY = { route: ['GET /nowhere'] };

const policy = (random: Random) => ({
  name: random.pick(NAMES),
  limit: random.pick([1, 5, 100]),
  period: 'minute',
  ...(random.chance(0.2) && { by: ['key'], match: NOBODY }),
});
const service = (random: Random) => ({
  name: random.pick(NAMES),
  type: random.pick(['cache_redis', 'cache_local']),
  label: 'One',
});
const alert = (random: Random) => ({
  name: random.pick(NAMES),
  rule: random.pick(['oldest_age', 'failure_rate']),
  endpoint: random.pick(NAMES),
});
const to = () => ({ url: 'https://example.com/hook', schedule: [0, '5s'] });

/** Bodies that our own rules accept, where the schema allows more than they do. */
const BODIES: Readonly<Record<string, readonly ((random: Random) => unknown)[]>> = {
  createPolicies: [policy, (random) => ({ resource: [policy(random)] })],
  replacePolicy: [(random) => ({ ...policy(random), name: undefined })],
  patchPolicy: [(random) => ({ limit: random.integer(1, 50) })],
  createServices: [service, (random) => ({ resource: [service(random)] })],
  replaceService: [(random) => ({ ...service(random), name: undefined })],
  patchService: [() => ({ label: 'Two' })],
  testService: [service],
  createAlerts: [alert, (random) => ({ resource: [alert(random)] })],
  replaceAlert: [(random) => ({ ...alert(random), name: undefined })],
  patchAlert: [(random) => ({ quiet_seconds: random.integer(60, 600) })],
  storeValues: [
    (random) => ({ resource: [{ key: random.pick(KEYS), value: { n: random.next() }, ttl: 60 }] }),
    (random) => ({ key: random.pick(KEYS), value: null, tags: ['t'] }),
  ],
  putTarget: [to],
  putEndpoint: [to],
  sendDeliveries: [(random) => ({ ...to(), body: { n: random.next() } }), () => ({ resource: [to(), to()] })],
  patchValue: [() => ({ ttl: 60 }), () => ({ merge: { a: null, b: 2 } })],
  enqueueJobs: [
    (random) => ({ name: random.pick(NAMES), data: { n: random.next() } }),
    (random) => ({ name: random.pick(NAMES), data: null, opts: { delay: 600_000 } }),
  ],
  takeLeases: [(random) => ({ count: random.integer(1, 3), lease_ms: 30_000 })],
  failLease: [() => ({ error: 'no', retryable: false })],
  updateJob: [() => ({ priority: 3 }), () => ({ data: { changed: true } })],
};

/** Who makes the things of each kind. */
const GIVERS: Readonly<Record<string, string>> = {
  job: 'enqueueJobs',
  'delayed job': 'enqueueJobs',
  'failed job': 'failLease',
  lease: 'takeLeases',
  'cache lease': 'leaseValue',
  session: 'createSession',
  'user session': 'createSession',
  key: 'createKey',
  policy: 'createPolicies',
  service: 'createServices',
  alert: 'createAlerts',
  endpoint: 'putEndpoint',
  scheduler: 'putScheduler',
  target: 'putTarget',
  flow: 'addFlow',
  value: 'createValue',
};

/** What has to be there first beside what they are about. */
const NEEDS: Readonly<Record<string, string>> = {
  getQueue: 'enqueueJobs',
  takeLeases: 'enqueueJobs',
  createAlerts: 'putEndpoint',
};
/** Fields that name a thing of their sender's choice. */
const NAMING = ['queue', 'id', 'name', 'endpoint', 'key', 'user_id', 'policy', 'channel'];

/** Which things a request is about. The first that fits its operation. */
const ABOUT: readonly [RegExp, readonly string[]][] = [
  [/^retryJob$/, ['failed job']],
  [/^promoteJob$/, ['delayed job']],
  [/^updateJob$/, ['delayed job', 'job']],
  [/^(heartbeat|complete|fail|releaseJob|report|addLease).*/, ['lease']],
  [/^(fillValue|renewLease|releaseLease)$/, ['cache lease']],
  [/^(read|change|rotate|end)Session$/, ['session']],
  [/^revokeSession$/, ['user session']],
  [/^(get|update|revoke|rotate)Key$/, ['key']],
  [/Policy$|Limit$/, ['policy']],
  [/^(get|patch|replace|remove|testStored)Service$/, ['service']],
  [/^(get|patch|replace|remove|test)Alert$/, ['alert']],
  [/Endpoint$/, ['endpoint']],
  [/Scheduler$/, ['scheduler']],
  [/Target$/, ['target']],
  [/^getFlow$/, ['flow']],
  [/Job|getJobResult/, ['job']],
  [/^(read|update|patch|remove)Value$/, ['value']],
];

export class World {
  readonly #random: Random;
  readonly #things = new Map<string, Thing[]>();
  /** The keys that must go on opening doors. */
  readonly #ownKeyIds: ReadonlySet<string>;
  #errands = 0;

  constructor(options: { random: Random; ownKeyIds: readonly string[] }) {
    this.#random = options.random;
    this.#ownKeyIds = new Set(options.ownKeyIds);
  }

  /** One of its own names. */
  errand(): Errand {
    this.#errands += 1;
    const own = `e${this.#errands}`;
    return { names: Object.fromEntries(NAMING.map((name) => [name, own])), things: new Map() };
  }

  /** Something that this operation can be about; `undefined` when nothing is known yet. */
  thingFor({ id }: Operation, errand?: Errand): Thing | undefined {
    const kinds = ABOUT.find(([pattern]) => pattern.test(id))?.[1] ?? [];
    if (errand) {
      const { fields = {}, headers = {} } = errand.things.get(kinds[0] ?? '') ?? {};
      return {
        fields: { ...errand.names, ...fields },
        headers: { ...headers, ...(id === 'obliterateQueue' && { 'X-Confirm': errand.names.queue }) },
      };
    }
    // One policy stays for those who ask it.
    if (id === 'removePolicy') return { fields: { name: NAMES[2] } };
    if (id === 'obliterateQueue') {
      const queue = this.#random.pick(QUEUES);
      return { fields: { queue, force: true }, headers: { 'X-Confirm': queue } };
    }
    for (const kind of kinds) {
      const things = this.#things.get(kind) ?? [];
      // The newest is the one that is likely still there.
      if (things.length > 0) return this.#random.chance(0.5) ? things.at(-1) : this.#random.pick(things);
    }
    return undefined;
  }

  /** The operations that make what this one is about, in their order. */
  before(id: string): string[] {
    const [kind] = ABOUT.find(([pattern]) => pattern.test(id))?.[1] ?? [];
    const giver = NEEDS[id] ?? (kind && GIVERS[kind]);
    return giver === undefined || giver === id ? [] : [...this.before(giver), giver];
  }

  readonly hints: Hints = (name) => this.#hints[name] ?? [];

  /** A whole body for what the document describes in words alone; `undefined`: its schema says enough. */
  bodyFor({ id }: Operation): unknown {
    const bodies = BODIES[id];
    return bodies === undefined ? undefined : this.#random.pick(bodies)(this.#random);
  }

  /** Remembers what an answer of 2xx has made. */
  learn(operation: Operation, sent: Readonly<Json>, answer: unknown, errand?: Errand): void {
    const reply = (typeof answer === 'object' && answer !== null ? answer : {}) as Json;
    const listed = Array.isArray(reply.resource) ? (reply.resource as Json[]) : [reply];
    for (const each of listed) {
      if (typeof each !== 'object' || each === null) continue;
      for (const [kind, thing] of thingsIn(operation.id, sent, each)) {
        if (kind === 'key' && this.#ownKeyIds.has(String(thing.fields.id))) continue;
        if (errand) {
          errand.things.set(kind, thing);
          continue;
        }
        const things = this.#things.get(kind) ?? [];
        things.push(thing);
        if (things.length > MAX_THINGS) things.shift();
        this.#things.set(kind, things);
      }
    }
  }

  readonly #hints: Readonly<Record<string, readonly unknown[]>> = {
    queue: QUEUES,
    service: ['redis'],
    key: KEYS,
    channel: ['orders'],
    policy: NAMES,
    name: NAMES,
    endpoint: NAMES,
    user_id: ['u1', 'u2'],
    id: NAMES,
    url: ['https://example.com/hook'],
    callback: ['https://example.com/back'],
    failure_callback: ['https://example.com/back'],
    headers: [{}, { 'X-Tenant': 'one' }],
    method: ['POST', 'PUT'],
    secret: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    cron: ['*/5 * * * *', '0 3 * * 1'],
    tz: ['Europe/Berlin', 'UTC'],
    every: [60 * SECONDS],
    schedule: [{ every: 60 * SECONDS }, { cron: '0 3 * * *' }, [0, '5s'], ['1m']],
    scopes: [['cache:read'], ['jobs:enqueue:mail', 'limits:*'], ['channels:publish:orders*']],
    expires_at: [new Date(4_070_908_800_000).toISOString()],
    run_at: [new Date(4_070_908_800_000).toISOString()],
    starts_at: [new Date(4_070_908_800_000).toISOString()],
    ends_at: [new Date(4_070_908_900_000).toISOString()],
    // Longer ones would be most of a run.
    wait: [0, 0, 0, 1],
    wait_ms: [0, 0, 200],
    ttl: [60, 3_600],
    touch: ['60'],
    algorithm: ['gcra', 'sliding', 'fixed', 'concurrency'],
    limit: [1, 10, 100],
    period: ['minute', '10s'],
    burst: [5],
    lease: ['30s'],
    by: [['key'], ['address']],
    match: [NOBODY],
    overrides: [[{ key: 'k_1', limit: 'unlimited' }]],
    block: ['1s'],
    prepay: [0],
    away: ['open', 'closed', 'memory'],
    type: ['cache_redis', 'cache_local'],
    config: [{}, { default_ttl: 5 }, { database_index: 0, options: { flush_policy: 'open' } }],
    host: ['127.0.0.1'],
    cursor: ['0'],
    after: ['a'],
    port: [1],
    merge: [{ a: 1 }],
    last_event_id: ['0'],
    value_mode: ['raw', 'item'],
    generation: [0],
    prefix: ['user', 'a'],
    keys: ['a,b', 'user:1'],
    code: ['error', 'fatal'],
    taken_at_ms: [Date.now()],
    deduplication: [{ id: 'once' }],
  };
}

function thingsIn(id: string, sent: Readonly<Json>, reply: Json): [string, Thing][] {
  const { queue } = sent;
  switch (id) {
    case 'enqueueJobs': {
      const job: Thing = { fields: { queue, id: reply.id } };
      if (typeof reply.id !== 'string') return [];
      return reply.state === 'delayed'
        ? [
            ['delayed job', job],
            ['job', job],
          ]
        : [['job', job]];
    }
    case 'addFlow':
      return [['flow', { fields: { queue: reply.queue, id: reply.id } }]];
    case 'takeLeases': {
      const { lease, job } = reply as { lease?: string; job?: { id: string } };
      if (lease === undefined) return [];
      return [['lease', { fields: { lease, queue, id: job?.id } }]];
    }
    case 'failLease':
      return reply.state === 'failed'
        ? [['failed job', { fields: { queue: reply.queue, id: reply.id } }]]
        : [];
    case 'leaseValue':
      if (typeof reply.lease !== 'string') return [];
      return [['cache lease', { fields: { service: sent.service, key: sent.key, lease: reply.lease } }]];
    case 'createSession':
    case 'rotateSession': {
      const token = String(reply.session_token);
      return [
        ['session', { fields: {}, headers: { 'X-DreamFactory-Session-Token': token } }],
        ['user session', { fields: { user_id: reply.user_id, session_id: reply.id } }],
      ];
    }
    case 'createKey':
    case 'rotateKey':
    case 'listKeys':
      return [['key', { fields: { id: reply.id } }]];
    case 'createPolicies':
      return [['policy', { fields: { name: reply.name, policy: reply.name } }]];
    case 'createAlerts':
      return [['alert', { fields: { name: reply.name } }]];
    case 'createServices':
      return [['service', { fields: { name: reply.name } }]];
    case 'putEndpoint':
      return [['endpoint', { fields: { endpoint: sent.endpoint } }]];
    case 'createValue':
      return [['value', { fields: { service: sent.service, key: sent.key } }]];
    case 'putScheduler':
      return [['scheduler', { fields: { queue, id: sent.id } }]];
    case 'putTarget':
      return [['target', { fields: { queue } }]];
    default:
      return [];
  }
}
