/** This file owns what a Redis Cluster tells of itself as a whole. */
import type { Cluster, Redis } from '@sluice/redis';
import { type Answer, ask } from './answer.ts';

export interface ClusterFacts {
  state: Answer<{ isServing: boolean; slotsServed: number; slotsFailing: number }>;
  nodes: Answer<{ masters: number; replicas: number; failing: number; mastersWithoutReplica: number }>;
}

export async function readCluster(client: Cluster): Promise<ClusterFacts> {
  const node = client.nodes('master')[0] as Redis | undefined;
  const call = (word: string) =>
    node ? node.call('CLUSTER', word) : Promise.reject(new Error('no master is known'));
  const [state, nodes] = await Promise.all([
    ask('CLUSTER INFO', async () => {
      const fields = new Map(
        String(await call('INFO'))
          .split(/\r?\n/)
          .map((line) => line.split(':') as [string, string]),
      );
      return {
        isServing: fields.get('cluster_state') === 'ok',
        slotsServed: Number(fields.get('cluster_slots_ok')),
        slotsFailing: Number(fields.get('cluster_slots_fail')),
      };
    }),
    ask('CLUSTER NODES', async () => countNodes(String(await call('NODES')))),
  ]);
  return { state, nodes };
}

/** Lines of `id address flags master …`; a node that is asked about itself adds `myself` to its flags. */
function countNodes(text: string) {
  const nodes = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(' '))
    .map(([id = '', , flags = '', master = '']) => ({ id, flags: flags.split(','), master }));
  const masters = nodes.filter(({ flags }) => flags.includes('master'));
  const replicas = nodes.filter(({ flags }) => flags.includes('slave'));
  return {
    masters: masters.length,
    replicas: replicas.length,
    failing: nodes.filter(({ flags }) => flags.some((flag) => flag.startsWith('fail'))).length,
    mastersWithoutReplica: masters.filter(({ id }) => !replicas.some(({ master }) => master === id)).length,
  };
}
