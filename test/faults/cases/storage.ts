/** This file owns F-14: Redis out of memory, its disk full, itself busy with a script. */
import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FaultCase, Finding, Outcome, Run } from '../case.ts';
import type { Answer } from '../door.ts';
import { Lab } from '../lab.ts';
import { msUntilConsumed, msUntilServed } from '../probes.ts';
import { sleep } from '../random.ts';
import { singleServer, withClient } from '../topology.ts';

const MIB = 1_048_576;
const DISK_MIB = 24;
const IDLE_QUEUE = 'idle';
const RECOVERY_LIMIT_MS = 3_000;
const SLOW_JOBS = 20;

export const storage: FaultCase = {
  id: 'F-14',
  title: 'Redis out of memory, out of disk, busy',
  about:
    'maxmemory is set below what is used; then the small file system of the append-only file is filled; then a script holds Redis. Each is taken back after a while. Jobs run all the time, and go in as far as they are let.',
  target:
    'refused in bounds (507 or 503), running jobs end - again, where Redis could not be told of their end -, all is well within 3 s after; I1-I8 hold',
  parameters: {
    seconds: { says: 'of each fault', long: 8, short: 3 },
    rate: { says: 'jobs a second', long: 60, short: 30 },
  },
  run: exhaust,
};

async function exhaust(run: Run): Promise<Outcome> {
  const disk = join(run.folder, 'redis');
  const isDisk = await mountSmallDisk(run, disk);
  // With `always`, a Redis that cannot write its file ends itself; with `everysec` it refuses writes.
  const topology = await singleServer(run, {
    ...{ folder: run.folder, fsync: 'everysec' },
    settings: ['--busy-reply-threshold', '200', '--auto-aof-rewrite-percentage', '0'],
  });
  const lab = await Lab.open(run, { topology, queues: ['work'], otherQueues: [IDLE_QUEUE] });
  await msUntilConsumed(lab, IDLE_QUEUE, 'idle-first');
  const load = lab.load({ jobsPerSecond: run.number('rate') });
  const watch = lab.watch(load);
  const seconds = run.number('seconds');
  const findings: Finding[] = [];
  const go = async (what: string, begin: () => Promise<void>, end: () => Promise<void>) => {
    await sleep(1_000);
    await startSlowJobs(lab, what, seconds * 500);
    let refusal: Answer | undefined;
    await lab.nemesis.strike(what, `${seconds} s`, async () => {
      await begin();
      await sleep((seconds * 1_000) / 2);
      refusal = await lab.door.call(`/queues/${IDLE_QUEUE}/jobs`, {
        method: 'POST',
        json: { name: 'fault.effect', data: {}, opts: {} },
      });
      await sleep((seconds * 1_000) / 2);
      await end();
    });
    const [servedMs, consumedMs] = await Promise.all([
      msUntilServed(lab),
      msUntilConsumed(lab, IDLE_QUEUE, `idle after ${what}`),
    ]);
    findings.push({
      what: `an enqueue with ${what}`,
      target: '503 or 507',
      measured: `${refusal?.code} after ${Math.round(refusal?.ms ?? 0)} ms`,
      holds: refusal?.status === 503 || refusal?.status === 507,
    });
    findings.push({
      what: `recovered from ${what}`,
      target: `<= ${RECOVERY_LIMIT_MS} ms`,
      measured: `served ${Math.round(servedMs)} ms, consumed ${Math.round(consumedMs)} ms`,
      holds: Math.max(servedMs, consumedMs) <= RECOVERY_LIMIT_MS,
    });
  };
  const config = (name: string, value: string | number) =>
    withClient(topology.config, async (client) => void (await client.config('SET', name, value)));

  await go(
    'no memory left',
    () => config('maxmemory', 1 * MIB),
    () => config('maxmemory', 0),
  );
  if (isDisk) {
    const ballast = join(disk, 'ballast');
    await go(
      'no disk left',
      () => writeFile(ballast, Buffer.alloc(DISK_MIB * MIB)).catch(() => undefined),
      () => rm(ballast, { force: true }),
    );
  } else {
    findings.push({
      ...{ what: 'no disk left', target: 'done', measured: 'not done', holds: false },
      note: 'a tmpfs cannot be mounted here: it takes root',
    });
  }
  let script: Promise<unknown> | undefined;
  await go(
    'a script that holds Redis',
    async () => {
      script = holdRedis(topology.config, seconds * 1_000);
    },
    async () => void (await script),
  );
  watch.end();
  const verdict = await lab.check({ load });
  return {
    topology: `${topology.name}, disk of ${DISK_MIB} MiB`,
    verdict,
    faults: lab.nemesis.counts(),
    findings,
  };
}

/** Jobs that are at work when the fault comes. */
async function startSlowJobs(lab: Lab, what: string, workMs: number): Promise<void> {
  const resource = Array.from({ length: SLOW_JOBS }, (_, index) => {
    const key = `slow ${what} ${index}`;
    return { name: 'fault.effect', data: { key, url: lab.sink.url, workMs }, idempotency_key: key };
  });
  const sentAt = Date.now();
  const answer = await lab.door.call('/queues/work/jobs', { method: 'POST', json: { resource } });
  const ids = (answer.body as { resource?: { id: string }[] } | undefined)?.resource ?? [];
  for (const [index, { idempotency_key: key }] of resource.entries()) {
    lab.ledger.add({
      ...{ key, kind: 'batch', queue: 'work', class: answer.status === 201 ? 'ok' : 'unknown' },
      ...{ ids: ids[index] ? [ids[index].id] : [], delayMs: 0, tries: 1, answer: answer.code },
      ...{ sentAt, answeredAt: Date.now() },
    });
  }
  await sleep(200);
}

/** A script that only reads, so that it could be killed; it ends by itself. */
async function holdRedis(config: Parameters<typeof withClient>[0], forMs: number): Promise<void> {
  const lua = `local from = redis.call('TIME') local now
repeat now = redis.call('TIME') until (now[1] - from[1]) * 1000 + (now[2] - from[2]) / 1000 >= tonumber(ARGV[1])`;
  await withClient(config, async (client) => void (await client.eval(lua, 0, forMs)));
}

/** A file system of its own, of `DISK_MIB`; false where that is not allowed. */
async function mountSmallDisk(run: Run, folder: string): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  // Before the run's folder is removed, after its Redis has ended.
  run.onTestFinished(() => void execFileSync('umount', ['-l', folder], { stdio: 'ignore' }));
  return true;
}
