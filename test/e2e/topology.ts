/** This file owns the settings of the published environment that lead to a Sentinel set or a Cluster of the test's own. */
import type { TestCluster, TestSentinel } from '@sluice/redis/testing';

/** Nothing on disk but the secret: every role is in Redis. */
const IN_REDIS = { CACHE_DRIVER: 'redis', SESSION_DRIVER: 'redis', QUEUE_DRIVER: 'redis' };

/** As the published page has it: one port for all Sentinels where they share one, else each with its own. */
export function sentinelVariables({ config }: TestSentinel): Record<string, string> {
  return {
    ...IN_REDIS,
    REDIS_SENTINEL_HOST: config.sentinels.map(({ host, port }) => `${host}:${port}`).join(),
    REDIS_SENTINEL_MASTER: config.master,
  };
}

export function clusterVariables({ config }: TestCluster): Record<string, string> {
  return { ...IN_REDIS, REDIS_CLUSTER_NODES: config.nodes.map(({ host, port }) => `${host}:${port}`).join() };
}
