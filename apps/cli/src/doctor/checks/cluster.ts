/** This file owns Redis Clusters: whether every slot is served, and by whom after the loss of a machine. */
import { ROLES } from '@sluice/config';
import { judge } from '../answer.ts';
import type { NodeCheck, PlaceCheck, Sight } from '../check.ts';
import { error, ok, unknown, type Verdict, warning } from '../finding.ts';
import { redisCli } from '../fix.ts';
import { numberOf } from '../node-facts.ts';

const PAGE = 'High Availability: Redis Cluster';
const SLOTS = 16_384;

function clusterCli({ seen }: Sight, ...words: string[]): string {
  const { config } = seen.place;
  const at = (config.kind === 'cluster' ? config.nodes[0] : undefined) ?? { host: 'localhost', port: 6_379 };
  return redisCli(config, at, ...words);
}

const state: PlaceCheck = {
  id: 'cluster.state',
  page: PAGE,
  why: 'Keys of a slot that no master serves can be neither read nor written.',
  roles: ROLES,
  look(sight) {
    const { cluster } = sight.seen;
    if (!cluster) return undefined;
    return judge(cluster.state, ({ isServing, slotsServed, slotsFailing }) => {
      const evidence = `cluster_state ${isServing ? 'ok' : 'fail'}, ${slotsServed} of ${SLOTS} slots served, ${slotsFailing} failing`;
      return isServing && slotsServed === SLOTS
        ? ok(evidence)
        : error(evidence, clusterCli(sight, 'CLUSTER', 'NODES'));
    });
  },
};

const nodes: PlaceCheck = {
  id: 'cluster.nodes',
  page: PAGE,
  why: 'The slots of a master without a replica are gone with its machine.',
  roles: ROLES,
  look(sight) {
    const { cluster } = sight.seen;
    if (!cluster) return undefined;
    return judge(cluster.nodes, ({ masters, replicas, failing, mastersWithoutReplica }): Verdict => {
      const evidence = `${masters} masters, ${replicas} replicas, ${failing} failing, ${mastersWithoutReplica} masters without a replica`;
      const fix = clusterCli(sight, 'CLUSTER', 'NODES');
      if (failing > 0) return error(evidence, fix);
      return mastersWithoutReplica > 0 ? warning(evidence, fix) : ok(evidence);
    });
  },
};

const mode: NodeCheck = {
  id: 'cluster.mode',
  page: PAGE,
  why: 'A client that does not know of the other nodes is refused (MOVED) for every key that is theirs.',
  roles: ROLES,
  look({ node, seen }) {
    if (!node.info.isTold) return unknown(`INFO: ${node.info.reason}`);
    const isOn = numberOf(node.info.value, 'cluster_enabled') === 1;
    const { kind } = seen.place.config;
    if (isOn === (kind === 'cluster')) return ok(isOn ? 'a Cluster, and used as one' : 'no Cluster');
    return isOn
      ? error('a node of a Cluster, used as a single server', `REDIS_CLUSTER_NODES=${node.address}`)
      : error(
          'no Cluster, though REDIS_CLUSTER_NODES says so',
          `REDIS_CLUSTER_NODES= REDIS_HOST=${node.address}`,
        );
  },
};

export const CLUSTER_CHECKS: readonly PlaceCheck[] = [state, nodes];
export const CLUSTER_NODE_CHECKS: readonly NodeCheck[] = [mode];
