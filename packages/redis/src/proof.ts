/**
 * This file owns proof that a write is kept: WAIT and WAITAOF sent behind it on its own connection, or what the server says
 * of its append-only file. They hold up their connection until they are answered, so it must be one that nobody shares.
 */
import type { ChainableCommander } from 'ioredis';
import { Cluster } from 'ioredis';
import { type RedisClient, untilReady } from './connect.ts';
import { redisFault, slotOnItsWay } from './fault.ts';

/**
 * Where a write is, beside the memory of the server that took it:
 * - `aof` in its append-only file, on disk: WAITAOF 1 0, or `appendfsync always` on a server without WAITAOF
 * - `replica` in the memory of one replica: WAIT 1
 * - `aof+replica` on disk here and on disk at one replica: WAITAOF 1 1
 */
export const PROOFS = ['aof', 'replica', 'aof+replica'] as const;
export type Proof = (typeof PROOFS)[number];

export interface ProvenWriteOptions {
  /** Any of those written: in a Cluster its node is asked. */
  key: string;
  proofs: readonly Proof[];
  /** How long the server may wait for disk and replicas, and a slot of a Cluster be on its way before that. */
  timeoutMs: number;
  /** Adds the writes, each of which must be a command of its own (`queueInTurn`). */
  write: (pipeline: ChainableCommander) => void;
}

/**
 * - `impossible` this server cannot prove it, and nothing was written; `reason` is a sentence with the way out
 * - `written` the writes' replies; `shortfall` says what did not come in time, `undefined` when all is proven
 */
export type ProvenWrite =
  | { kind: 'impossible'; reason: string }
  | { kind: 'written'; replies: PipelineReply[]; shortfall: string | undefined };

type PipelineReply = [error: Error | null, reply: unknown];
/** Of a proof on one connection: the command to send behind a write, or why there is none. */
type Way = 'wait' | 'waitaof' | 'always' | { reason: string };

/** What a connection was found to have, in a Cluster by key; forgotten when it is made anew, as the server may be another. */
const waysOf = new WeakMap<RedisClient, Map<string, Way>>();
const MAX_WAYS = 1_000;
/** Between two tries; a slot of a thousand keys is on its way for some tenths of a second. */
const SLOT_PAUSE_MS = 50;
/** What is left to the server for the proof, however long the slot was on its way. */
const MIN_WAIT_MS = 100;
/** Of the connection to a node that had no slots before. */
const NEW_NODE_MS = 300;

/** Writes in one pipeline with what proves it. Rejects as ioredis does when it cannot tell; a write's own error is among `replies`. */
export async function writeProven(client: RedisClient, options: ProvenWriteOptions): Promise<ProvenWrite> {
  const ways: Way[] = [];
  for (const proof of options.proofs) {
    const way = await wayTo(client, options.key, proof);
    if (typeof way === 'object') return { kind: 'impossible', reason: way.reason };
    ways.push(way);
  }
  const deadline = performance.now() + options.timeoutMs;
  let hasLooked = false;
  for (;;) {
    const leftMs = Math.max(MIN_WAIT_MS, Math.round(deadline - performance.now()));
    const { result, slot } = await send(client, { ...options, timeoutMs: leftMs }, ways);
    const isLate = performance.now() + SLOT_PAUSE_MS + MIN_WAIT_MS > deadline;
    if (slot === undefined || isLate || !(client instanceof Cluster)) return result;
    // ioredis follows a slot only when a whole pipeline was sent the wrong way, and WAIT goes no way.
    if (slot === 'moved') await findSlots(client);
    // A node that knows less than others sends back to where we come from.
    if (slot === 'moving' || hasLooked) await new Promise((resolve) => setTimeout(resolve, SLOT_PAUSE_MS));
    hasLooked = true;
  }
}

/** A node whose connection is still being made refuses, so it is waited for; one that does not come says so itself. */
async function findSlots(client: Cluster): Promise<void> {
  await new Promise<void>((resolve) => client.refreshSlotsCache(() => resolve()));
  await untilReady(client, NEW_NODE_MS).catch(() => undefined);
}

async function send(
  client: RedisClient,
  { proofs, timeoutMs, write }: ProvenWriteOptions,
  ways: readonly Way[],
): Promise<{ result: ProvenWrite; slot: 'moved' | 'moving' | undefined }> {
  const pipeline = client.pipeline();
  write(pipeline);
  const writes = pipeline.length;
  for (const [index, proof] of proofs.entries()) {
    if (ways[index] === 'wait') pipeline.wait(1, timeoutMs);
    else if (ways[index] === 'waitaof')
      pipeline.call('WAITAOF', 1, proof === 'aof+replica' ? 1 : 0, timeoutMs);
    else pipeline.call('CONFIG', 'GET', APPEND_SETTINGS);
  }
  const replies = ((await pipeline.exec()) ?? []) as PipelineReply[];
  const answers = replies.slice(writes);
  const shortfalls = answers.flatMap(
    ([error, reply], index) => shortfallOf(proofs[index] as Proof, error, reply, timeoutMs) ?? [],
  );
  // Late is late; anything else may be another server, or other settings.
  if (answers.some(([error], index) => error || ways[index] === 'always') && shortfalls.length > 0)
    waysOf.delete(client);
  return {
    result: {
      kind: 'written',
      replies: replies.slice(0, writes),
      shortfall: shortfalls.length === 0 ? undefined : shortfalls.join('; '),
    },
    slot: slotOfAll(replies.slice(0, writes)),
  };
}

/** `undefined` as soon as one of them was run, or refused for another reason: those are not written again. */
function slotOfAll(replies: readonly PipelineReply[]): 'moved' | 'moving' | undefined {
  const slots = replies.map(([error]) => slotOnItsWay(error));
  return slots.includes(undefined) ? undefined : slots[0];
}

function shortfallOf(
  proof: Proof,
  error: Error | null,
  reply: unknown,
  timeoutMs: number,
): string | undefined {
  if (error) return `the server does not tell whether it is kept (${redisFault(error)?.kind ?? 'refused'})`;
  if (proof === 'replica') return Number(reply) >= 1 ? undefined : `no replica had it within ${timeoutMs} ms`;
  const answer = reply as unknown[];
  if (typeof answer[0] !== 'number') return whyNotAlways(answer);
  const [here, replicas] = answer as [number, number];
  const missing = [
    ...(here >= 1 ? [] : ['it was not on disk']),
    ...(proof === 'aof' || replicas >= 1 ? [] : ["it was on no replica's disk"]),
  ];
  return missing.length === 0 ? undefined : `${missing.join(' and ')} within ${timeoutMs} ms`;
}

async function wayTo(client: RedisClient, key: string, proof: Proof): Promise<Way> {
  let ways = waysOf.get(client);
  if (!ways) {
    ways = new Map();
    waysOf.set(client, ways);
    client.once('close', () => waysOf.delete(client));
  }
  const place = client instanceof Cluster ? `${proof} ${key}` : proof;
  const known = ways.get(place);
  if (known) return known;
  const way = await probe(client, key, proof);
  if (ways.size >= MAX_WAYS) ways.clear();
  // What is not there may be put right any moment.
  if (typeof way !== 'object') ways.set(place, way);
  return way;
}

/** Asks by doing: a command that is there may still be forbidden to our user. */
async function probe(client: RedisClient, key: string, proof: Proof): Promise<Way> {
  if (proof === 'replica') {
    const reply = await answer(client, key, (pipeline) => pipeline.wait(0, 1));
    return reply === undefined ? { reason: 'Our user may not run WAIT: allow it in its ACL.' } : 'wait';
  }
  if ((await answer(client, key, (pipeline) => pipeline.call('WAITAOF', 1, 0, 1))) !== undefined)
    return 'waitaof';
  const settings = await answer(client, key, (pipeline) => pipeline.call('CONFIG', 'GET', APPEND_SETTINGS));
  const isOff = settings !== undefined && settingsOf(settings).get('appendonly') === 'no';
  if (isOff) return { reason: 'The append-only file is off: set appendonly yes.' };
  if (proof === 'aof+replica')
    return { reason: `This server has no WAITAOF, or denies it: use ${HAVE_WAITAOF}.` };
  if (settings === undefined) {
    return { reason: `Neither WAITAOF nor CONFIG GET tells whether a write is on disk: ${UPGRADE}.` };
  }
  const why = whyNotAlways(settings);
  return why === undefined ? 'always' : { reason: `This server has no WAITAOF, and ${why}: ${UPGRADE}.` };
}

const APPEND_SETTINGS = '*append*';
const HAVE_WAITAOF = 'Redis 7.2, Valkey 7.2 or newer';
const UPGRADE = `set appendfsync always, or use ${HAVE_WAITAOF}`;

/** With `always`, Redis answers nobody before the file is on disk. */
function whyNotAlways(settings: unknown): string | undefined {
  const found = settingsOf(settings);
  if (found.get('appendonly') !== 'yes') return 'appendonly is not yes';
  if (found.get('appendfsync') !== 'always') return 'appendfsync is not always';
  return found.get('no-appendfsync-on-rewrite') === 'no' ? undefined : 'no-appendfsync-on-rewrite is not no';
}

function settingsOf(reply: unknown): Map<string, string> {
  const list = reply as string[];
  return new Map(
    list.flatMap((name, index) => (index % 2 === 0 ? [[name, String(list[index + 1])] as const] : [])),
  );
}

/** The reply of the node that has `key`; `undefined` when it refuses. Rejects when it is away. */
async function answer(
  client: RedisClient,
  key: string,
  ask: (pipeline: ChainableCommander) => ChainableCommander,
): Promise<unknown> {
  const replies = await ask(client.pipeline().exists(key)).exec();
  const [error, reply] = (replies?.[1] ?? [null, undefined]) as PipelineReply;
  if (!error) return reply;
  const kind = redisFault(error)?.kind;
  if (kind !== undefined && kind !== 'auth') throw error;
  return undefined;
}
