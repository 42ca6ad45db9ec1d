/** This file owns what Sentinels tell of the master they watch, each asked by itself. */
import type { HostPort, SentinelConfig, StandaloneConfig } from '@sluice/config';
import { close, connect, type Redis, untilReady } from '@sluice/redis';
import { type Answer, ask, untold } from './answer.ts';

export interface SentinelFacts {
  /** `host:port` */
  address: string;
  /** `host:port` of the master it names. */
  master: Answer<string>;
  /** SENTINEL CKQUORUM: told when enough Sentinels are there to agree on a failover and to carry it out. */
  quorum: Answer<string>;
  /** How many Sentinels it knows, itself among them, and how many must agree. */
  watch: Answer<{ sentinels: number; quorum: number }>;
  replicas: Answer<{ known: number; healthy: number }>;
}

const READY_DEADLINE_MS = 1_500;
/** What Sentinel says of a replica that cannot take over. */
const UNFIT = /s_down|o_down|disconnected/;

export async function askSentinels(config: SentinelConfig): Promise<SentinelFacts[]> {
  return await Promise.all(config.sentinels.map((at) => askSentinel(config, at)));
}

async function askSentinel(config: SentinelConfig, at: HostPort): Promise<SentinelFacts> {
  const address = `${at.host}:${at.port}`;
  const own: StandaloneConfig = {
    kind: 'standalone',
    ...at,
    database: 0,
    username: config.sentinelUsername,
    password: config.sentinelPassword,
    tls: config.tls,
  };
  const client = connect({ config: own, profile: 'request', name: 'doctor-sentinel' }) as Redis;
  const { master } = config;
  const call = (...words: [string, ...string[]]) => client.call('SENTINEL', ...words);
  try {
    await untilReady(client, READY_DEADLINE_MS);
    const [named, quorum, watch, replicas] = await Promise.all([
      ask('SENTINEL GET-MASTER-ADDR-BY-NAME', async () => {
        const reply = (await call('GET-MASTER-ADDR-BY-NAME', master)) as readonly string[] | null;
        if (!reply) throw new Error(`it watches no master named ${master}`);
        return reply.join(':');
      }),
      ask('SENTINEL CKQUORUM', async () => String(await call('CKQUORUM', master))),
      ask('SENTINEL MASTER', async () => {
        const record = pairs((await call('MASTER', master)) as readonly string[]);
        return {
          sentinels: Number(record.get('num-other-sentinels')) + 1,
          quorum: Number(record.get('quorum')),
        };
      }),
      ask('SENTINEL REPLICAS', async () => {
        const records = ((await call('REPLICAS', master)) as readonly (readonly string[])[]).map(pairs);
        const fit = records.filter(
          (record) => !UNFIT.test(record.get('flags') ?? '') && record.get('master-link-status') === 'ok',
        );
        return { known: records.length, healthy: fit.length };
      }),
    ]);
    return { address, master: named, quorum, watch, replicas };
  } catch (error) {
    const away = untold(`Sentinel ${address}`, error);
    return { address, master: away, quorum: away, watch: away, replicas: away };
  } finally {
    await close(client, 300);
  }
}

/** Names and values in turn, as RESP2 tells a map. */
export function pairs(flat: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (let index = 0; index + 1 < flat.length; index += 2)
    map.set(String(flat[index]), String(flat[index + 1]));
  return map;
}
