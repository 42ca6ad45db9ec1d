/** What does a hit of getOrLoad cost, beside bentocache and cacheable? */
import { compare, inProcess } from './harness.mjs';
import { startProgram, startRedis } from './processes.mjs';
import { reportCases } from './report.mjs';

async function sides(kind) {
  const made = [];
  for (const [name, side] of [
    ['bentocache', 'bentocache'],
    ['cacheable', 'cacheable'],
    ['Sluice', 'ours'],
  ]) {
    const redis = await startRedis();
    made.push(
      inProcess({ name, program: await startProgram('get-or-load.mjs', [side, kind], redis), redis }),
    );
  }
  return made;
}

const cases = [
  await compare('A hit in Redis, 64 in flight, 1,000 keys', await sides('redis')),
  await compare('A hit in memory, kept true by Redis, 64 in flight', await sides('memory')),
];
reportCases('get-or-load', 'What does a hit of getOrLoad cost, beside bentocache and cacheable?', { cases });
process.exit(0);
