/** This file owns how the figures of a Redis are judged and told: by the thresholds of the published page. */
import type { RedisFigures } from '@sluice/redis';
import { bytes, count, duration, percent } from './figures.ts';
import { type Html, html } from './html.ts';
import { type LiveFigure, type LiveFigures, live } from './live.ts';
import { badge, facts } from './parts.ts';
import type { RedisState } from './pulse.ts';

/** The published page: more than 80 % of maxmemory, more than 80 % of maxclients. */
const MOST_USE = 0.8;
/** The page says "high miss ratio"; half of the reads in vain is one, once there were enough of them. */
const LEAST_HIT_RATIO = 0.5;
const ENOUGH_READS = 1_000;
/** What waits on a queue is lost when Redis evicts it. */
const QUEUE_ROLES: readonly string[] = ['queue'];

/** Figures of each Redis under `redis:<first role>:<figure>`. */
export function redisFiguresOf(states: readonly RedisState[]): LiveFigures {
  const all = new Map<string, LiveFigure>();
  for (const state of states) {
    const [first = ''] = state.roles;
    const told = state.figures ? toldFigures(state.figures) : {};
    for (const [name, figure] of Object.entries(told)) all.set(`redis:${first}:${name}`, figure);
    all.set(`redis:${first}:state`, stateOf(state));
  }
  return all;
}

export function redisCard(figures: LiveFigures, { roles, figures: known }: RedisState): Html {
  const [first = ''] = roles;
  const show = (name: string) => live(figures, `redis:${first}:${name}`);
  const rows: [string, Html][] = [
    ['Memory', show('memory')],
    ['Clients', show('clients')],
    ['Hit ratio', show('hits')],
    ['Evicted keys', show('evicted')],
    ['Eviction policy', html`${policyOf(roles, known)}`],
    ['Persistence', show('persistence')],
    ['Replication', show('replication')],
    ['Up for', show('uptime')],
  ];
  return html`<section class="card"><h3><span>${roles.map((role) => html`${badge(role)} `)}</span>${show('state')}</h3>${facts(rows)}</section>`;
}

function stateOf({ isUp, figures }: RedisState): LiveFigure {
  if (!isUp) return { text: 'away', state: 'bad' };
  return figures ? { text: 'up' } : { text: 'up, tells nothing', state: 'warn' };
}

function toldFigures(figures: RedisFigures): Record<string, LiveFigure> {
  const { usedMemoryBytes, maxMemoryBytes, memoryUse, connectedClients, maxClients, clientUse } = figures;
  const { hitRatio, keyspaceHits, keyspaceMisses, evictedKeys } = figures;
  const isMissing =
    hitRatio !== null && hitRatio < LEAST_HIT_RATIO && keyspaceHits + keyspaceMisses >= ENOUGH_READS;
  return {
    memory: {
      text:
        memoryUse === null
          ? `${bytes(usedMemoryBytes)}, no bound`
          : `${bytes(usedMemoryBytes)} of ${bytes(maxMemoryBytes)} (${percent(memoryUse)})`,
      state: memoryUse !== null && memoryUse > MOST_USE ? 'bad' : undefined,
    },
    clients: {
      text:
        clientUse === null
          ? count(connectedClients)
          : `${count(connectedClients)} of ${count(maxClients)} (${percent(clientUse)})`,
      state: clientUse !== null && clientUse > MOST_USE ? 'bad' : undefined,
    },
    hits: {
      text: hitRatio === null ? 'no reads yet' : percent(hitRatio),
      state: isMissing ? 'warn' : undefined,
    },
    evicted: { text: count(evictedKeys), state: evictedKeys > 0 ? 'bad' : undefined },
    persistence: persistenceOf(figures),
    replication: replicationOf(figures),
    uptime: { text: duration(figures.uptimeSeconds * 1_000) },
  };
}

function persistenceOf(figures: RedisFigures): LiveFigure {
  const { isAofOn, isAofWritten, isSnapshotWritten, changesSinceSnapshot } = figures;
  if (!isAofWritten) return { text: 'append-only file cannot be written', state: 'bad' };
  if (!isSnapshotWritten) return { text: 'last snapshot failed', state: 'bad' };
  if (isAofOn) return { text: 'append-only file' };
  return { text: `snapshots, ${count(changesSinceSnapshot)} changes since`, state: 'warn' };
}

function replicationOf({ isReplica, isLinkUp, connectedReplicas }: RedisFigures): LiveFigure {
  if (isReplica) {
    return isLinkUp
      ? { text: 'a replica: takes no writes', state: 'bad' }
      : { text: 'a replica that lost its master', state: 'bad' };
  }
  return { text: connectedReplicas === 0 ? 'no replica' : `${count(connectedReplicas)} replicas` };
}

function policyOf(roles: readonly string[], figures: RedisFigures | undefined): Html | string {
  const policy = figures?.evictionPolicy;
  if (!policy) return '–';
  const isQueue = roles.some((role) => QUEUE_ROLES.includes(role));
  if (isQueue && policy !== 'noeviction')
    return html`<span data-state="bad">${policy}: loses jobs, use noeviction</span>`;
  return policy;
}
