/** This file owns F-17: an API killed in the middle of requests, and APIs told to stop, one after the other, behind nginx. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, until } from '../../e2e/product.ts';
import type { FaultCase, Outcome, Run } from '../case.ts';
import { Door } from '../door.ts';
import { Lab } from '../lab.ts';
import { Load } from '../load.ts';
import { statusOf } from '../product.ts';
import { between, sleep } from '../random.ts';
import { singleServer } from '../topology.ts';

const EXIT_LIMIT_MS = 30_000;

export const apiRestart: FaultCase = {
  id: 'F-17',
  title: 'An API killed in the middle of requests, and rolling restarts',
  about:
    'First kill -9 to one of two APIs at random moments, each back before the next. Then SIGTERM to one after the other behind nginx, under load: each is started again before the next is told to stop.',
  target:
    'kill -9: only unknown outcomes, I1-I8 hold. SIGTERM: no failed request, each ends with status 0 within 30 s',
  parameters: {
    kills: { says: 'kill -9', long: 60, short: 3 },
    restarts: { says: 'SIGTERM', long: 30, short: 3 },
    rate: { says: 'jobs a second', long: 150, short: 60 },
  },
  run: restartApis,
};

async function restartApis(run: Run): Promise<Outcome> {
  const topology = await singleServer(run, { folder: run.folder, fsync: 'always' });
  const lab = await Lab.open(run, { topology, apis: 2, workers: 1 });
  const { product, nemesis } = lab;
  const load = lab.load({ jobsPerSecond: run.number('rate') });
  const watch = lab.watch(load);
  await sleep(1_000);
  for (let kill = 0; kill < run.number('kills'); kill += 1) {
    const api = product.apis[kill % 2];
    if (!api) throw new TypeError('there is no API');
    await nemesis.strike('api kill -9', api.name, async () => {
      await api.end('SIGKILL');
      api.start();
      await api.untilAnswers('/readyz');
    });
    await sleep(between(run.random, 0, 400));
  }
  await load.stop();
  watch.end();

  const proxy = await startProxy(
    run,
    product.apis.map(({ port }) => port),
  );
  const door = new Door(() => [proxy]);
  run.onTestFinished(() => door.close());
  const polite = new Load({
    ...{ door, ledger: lab.ledger, random: run.random, queues: lab.queues, sinkUrl: lab.sink.url },
    jobsPerSecond: run.number('rate'),
    firstJob: load.jobsMade,
  });
  run.onTestFinished(() => polite.abandon());
  polite.start();
  const watchPolite = lab.watch(polite);
  await sleep(1_000);
  const exits: { status: number | null; ms: number }[] = [];
  for (let restart = 0; restart < run.number('restarts'); restart += 1) {
    const api = product.apis[restart % 2];
    if (!api) throw new TypeError('there is no API');
    await nemesis.strike('api SIGTERM', api.name, async () => {
      const toldAt = performance.now();
      const status = await api.end('SIGTERM');
      exits.push({ status, ms: performance.now() - toldAt });
      api.start();
      await api.untilAnswers('/readyz');
    });
    await sleep(between(run.random, 0, 400));
  }
  await polite.stop();
  watchPolite.end();
  const verdict = await lab.check({ load, isCutOffExpected: true });
  const failed = Object.entries(polite.answers).filter(([code]) => !code.startsWith('2'));
  const failedCount = failed.reduce((sum, [, count]) => sum + count, 0);
  const slowest = Math.max(0, ...exits.map(({ ms }) => ms));
  return {
    topology: `${topology.name}, two APIs behind nginx`,
    verdict,
    faults: nemesis.counts(),
    findings: [
      {
        what: 'failed requests during rolling restarts',
        target: '0',
        measured: `${failedCount} of ${polite.answersMs.length}`,
        holds: failedCount === 0,
        note: failed.map(([code, count]) => `${code} ×${count}`).join(', ') || undefined,
      },
      {
        what: 'exit statuses other than 0 after SIGTERM',
        target: '0',
        measured: String(exits.filter(({ status }) => status !== 0).length),
        holds: exits.every(({ status }) => status === 0),
      },
      {
        what: 'from SIGTERM to the end of the process',
        target: `<= ${EXIT_LIMIT_MS / 1_000} s`,
        measured: `at most ${(slowest / 1_000).toFixed(1)} s`,
        holds: slowest <= EXIT_LIMIT_MS,
      },
    ],
  };
}

/** nginx in front of both, with kept connections to them; answers its URL. It tries the other only if none of a request was sent. */
async function startProxy(run: Run, ports: readonly number[]): Promise<string> {
  const folder = join(run.folder, 'nginx');
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}
  upstream api { ${ports.map((each) => `server 127.0.0.1:${each} max_fails=0;`).join(' ')} keepalive 32; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_next_upstream error;
    }
  }
}
`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', file, '-e', join(folder, 'error.log')], {
    stdio: 'ignore',
  });
  run.onTestFinished(async () => {
    if (child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
  });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => ((await statusOf(`${url}/livez`)) === 200 ? true : undefined), 10_000);
  return url;
}
