/** This file owns a run of generated requests against a running API: who is asked what, and what came of it. */
import { Course } from './course.ts';
import { ApiDocument, type Operation } from './document.ts';
import { type Answer, HttpClient } from './http-client.ts';
import { faultsOf } from './judgement.ts';
import { Random } from './random.ts';
import { FAULTS, type FuzzRequest, Requests } from './requests.ts';
import { Values } from './values.ts';
import { type Errand, World } from './world.ts';

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
  const one = async (operation: Operation, errand: Errand | undefined) => {
    sent += 1;
    if (sent % 1_000 === 0) say(`${sent} requests, ${course.unreached.length} routes not reached yet`);
    const fault = !errand && random.chance(BROKEN) ? random.pick(FAULTS) : undefined;
    const request = requests.make(operation, { fault, errand });
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
    world.learn(operation, request.fields, parsed(answer.text), errand);
  };
  const lane = async () => {
    while (sent < total) {
      const { operations, errand } = course.next();
      for (const operation of operations) if (sent < total) await one(operation, errand);
    }
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
