/** This file owns the worker process: configuration, start, stop by signal, exit status. */
import { ConfigError } from '@sluice/config';
import { createLog, startAll, untilSignal } from '@sluice/runtime';
import { compose } from './compose.ts';
import { readConfig } from './config.ts';
import { ProcessorsError } from './own-processors.ts';

/** Jobs returned after the deadline, connections closed: what stopping takes beside waiting for jobs. */
const STOP_RESERVE_MS = 5_000;

async function main(): Promise<number> {
  const config = readConfig(process.env);
  const log = createLog({ name: 'worker', level: config.logLevel });
  // A promise that a processor lost sight of must not take the jobs beside it down.
  process.on('unhandledRejection', (error) => log.error({ error }, 'a rejection that nobody handled'));

  const app = await compose(config, log);
  const running = await startAll(app.services);
  log.info('worker started');

  const signal = await untilSignal();
  log.info({ signal, deadlineMs: config.shutdownDeadlineMs }, 'stopping');
  app.beginStopping();
  const unclean = await running.stop(config.shutdownDeadlineMs + STOP_RESERVE_MS);
  if (unclean.length > 0) log.warn({ unclean }, 'stopped late');
  return unclean.length === 0 ? 0 : 1;
}

try {
  // Ends also when a processor left something open behind.
  process.exit(await main());
} catch (error) {
  const isForPeople =
    error instanceof ConfigError || error instanceof ProcessorsError || error instanceof TypeError;
  process.stderr.write(`${isForPeople ? error.message : String((error as Error).stack)}\n`);
  process.exit(1);
}
