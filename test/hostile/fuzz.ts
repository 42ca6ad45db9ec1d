/** This file owns a run of generated requests against a running API: who is asked what, and what came of it. */
import { ApiDocument, type Operation } from './document.ts';
import { type Answer, HttpClient } from './http-client.ts';
import { faultsOf } from './judgement.ts';
import { Random } from './random.ts';
import { FAULTS, type FuzzRequest, Requests } from './requests.ts';
import { Values } from './values.ts';
import { World } from './world.ts';

export interface RouteCoverage {
  requests: number;
  /** How often each status was answered. */
  statuses: Record<string, number>;
}

export interface FuzzReport {
  seed: number;
  requests: number;
  broken: number;
  durationMs: number;
  routes: Record<string, RouteCoverage>;
  /** Routes that no request was served by with 2xx. */
  unreached: string[];
  /** What was wrong, with one request that shows it, and how often. */
  faults: { route: string; fault: string; count: number; example: string }[];
}

const IN_FLIGHT = 6;
const BROKEN = 0.4;
/** Jobs to lease and leases to settle, which are used up. */
const OFTEN: Readonly<Record<string, number>> = { enqueueJobs: 5, takeLeases: 4, leaseValue: 3 };
/** A run goes on for so much longer while there is a route it has not reached. */
const MAX_OVERTIME = 5;
const SLICE_OF_REPORT = 600;

/** Sends `requests` requests. `key` opens everything and survives: none of them may be about it. */
export async function fuzz(options: {
  url: string;
  key: string;
  seed: number;
  requests: number;
  say?: (line: string) => void;
}): Promise<FuzzReport> {
  const { url, key, seed, requests: total, say = () => undefined } = options;
  const client = new HttpClient(url);
  const headers = { 'X-DreamFactory-API-Key': key };
  const document = new ApiDocument((await client.send({ method: 'GET', target: '/openapi.json' })).text);
  const { text } = await client.send({ method: 'GET', target: '/api/v2/system/key', headers });
  const ownKeyIds = (JSON.parse(text) as { resource: { id: string }[] }).resource.map(({ id }) => id);
  const random = new Random(seed);
  const world = new World({ random, ownKeyIds });
  const values = new Values({ document, random, hints: world.hints });
  const requests = new Requests({ document, random, values, world, key });
  const course = new Course({ operations: document.operations, random, world });
  const faults = new Map<string, FuzzReport['faults'][number]>();
  const routes = Object.fromEntries(
    document.operations.map(({ id }): [string, RouteCoverage] => [id, { requests: 0, statuses: {} }]),
  );
  const startedAt = performance.now();
  let sent = 0;
  let broken = 0;

  const note = (request: FuzzRequest, fault: string) => {
    const { id } = request.operation;
    const before = faults.get(`${id} ${fault}`);
    if (before) before.count += 1;
    else faults.set(`${id} ${fault}`, { route: id, fault, count: 1, example: exampleOf(request) });
  };
  const one = async () => {
    sent += 1;
    if (sent % 1_000 === 0) say(`${sent} requests, ${course.unreached.length} routes not reached yet`);
    const isOvertime = sent > total;
    const operation = course.next(isOvertime);
    const fault = !isOvertime && random.chance(BROKEN) ? random.pick(FAULTS) : undefined;
    const request = requests.make(operation, fault);
    if (request.fault !== undefined) broken += 1;
    const coverage = routes[operation.id] as RouteCoverage;
    coverage.requests += 1;
    let answer: Answer;
    try {
      answer = await client.send(request.sent);
    } catch (error) {
      note(request, `no answer: ${(error as Error).message}`);
      return;
    }
    coverage.statuses[answer.status] = (coverage.statuses[answer.status] ?? 0) + 1;
    for (const fault of faultsOf(document, request, answer)) note(request, fault);
    // What a broken request was answered says nothing of the route it was meant for.
    if (answer.status >= 300 || request.fault === 'another method' || request.fault === 'a poison id') return;
    course.reached(operation);
    world.learn(operation, request.fields, parsed(answer.text));
  };
  const lane = async () => {
    while (sent < total || (course.unreached.length > 0 && sent < total * MAX_OVERTIME)) await one();
  };
  try {
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  } finally {
    client.close();
  }
  return {
    seed,
    requests: sent,
    broken,
    durationMs: Math.round(performance.now() - startedAt),
    routes,
    unreached: course.unreached,
    faults: [...faults.values()].sort((a, b) => b.count - a.count),
  };
}

/** Whose turn it is: everybody's, those more often whose things are used up, and the unreached with whom they need. */
class Course {
  readonly #operations: readonly Operation[];
  readonly #weighted: readonly Operation[];
  readonly #random: Random;
  readonly #world: World;
  readonly #reached = new Set<string>();
  #then: Operation | undefined;

  constructor(options: { operations: readonly Operation[]; random: Random; world: World }) {
    this.#operations = options.operations;
    this.#random = options.random;
    this.#world = options.world;
    this.#weighted = this.#operations.flatMap((operation) =>
      Array.from({ length: OFTEN[operation.id] ?? 1 }, () => operation),
    );
  }

  get unreached(): string[] {
    return this.#missing.map(({ id }) => id);
  }

  reached({ id }: Operation): void {
    this.#reached.add(id);
  }

  /** `isLate`: only what helps to reach the rest. */
  next(isLate: boolean): Operation {
    const random = this.#random;
    const then = this.#then;
    this.#then = undefined;
    if (then) return then;
    const missing = this.#missing;
    if (missing.length === 0 || !(isLate || random.chance(0.2))) return random.pick(this.#weighted);
    const wanted = random.pick(missing);
    const giver = this.#operations.find(({ id }) => id === this.#world.giverOf(wanted));
    if (!giver || random.chance(0.3)) return wanted;
    const [first, second] =
      this.#world.giverOf(giver) === undefined ? [giver, wanted] : [this.#find(giver), giver];
    this.#then = second;
    return first;
  }

  get #missing(): Operation[] {
    return this.#operations.filter(({ id }) => !this.#reached.has(id));
  }

  #find(operation: Operation): Operation {
    return this.#operations.find(({ id }) => id === this.#world.giverOf(operation)) ?? operation;
  }
}

function exampleOf({ sent, fault }: FuzzRequest): string {
  const { method, target, body = '', headers = {} } = sent;
  const session = headers['X-DreamFactory-Session-Token'] === undefined ? '' : ' (with a session)';
  const shown = String(body).slice(0, SLICE_OF_REPORT);
  return `${method} ${target.slice(0, SLICE_OF_REPORT)}${session} ${shown}${fault ? ` [${fault}]` : ''}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
