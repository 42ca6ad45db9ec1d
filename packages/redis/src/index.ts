export type { ChainableCommander, Redis } from 'ioredis';
export { Cluster } from 'ioredis';
export {
  type ConnectOptions,
  close,
  connect,
  outageOf,
  type Profile,
  REQUEST_COMMAND_TIMEOUT_MS,
  type RedisClient,
  untilReady,
} from './connect.ts';
export { REDIS_FAULT_KINDS, type RedisFault, type RedisFaultKind, redisFault } from './fault.ts';
export { type RedisFigures, type RedisReport, readFigures, redisFigures } from './figures.ts';
export { type Health, health } from './health.ts';
export { PROOFS, type Proof, type ProvenWrite, type ProvenWriteOptions, writeProven } from './proof.ts';
export { type Hearing, hear, publish, publishCommand, subscribe, unsubscribe } from './pubsub.ts';
export { mastersOf, scanKeys, scanPage, unlinkByPrefix, unlinkKeys } from './scan.ts';
export { defineScript, type Script, type ScriptInput, type ScriptValue } from './script.ts';
export { masterOf } from './slots.ts';
