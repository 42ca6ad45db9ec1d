/** This file owns the API process: configuration, start, the lines a person reads, stop by signal, exit status. */
import { ConfigError } from '@sluice/config';
import { createLog, startAll, untilSignal } from '@sluice/runtime';
import { compose } from './compose.ts';
import { readConfig } from './config.ts';

async function live(environment: NodeJS.ProcessEnv): Promise<number> {
  const config = readConfig(environment);
  const log = createLog({ name: 'api', level: config.logLevel });
  const show = (line: string) => process.stdout.write(`${line}\n`);
  const api = await compose(config, log, show);
  const running = await startAll(api.services);
  show(`http://localhost:${api.server.port}`);
  log.info({ host: config.host, port: api.server.port }, 'listening');

  const signal = await untilSignal();
  log.info({ signal }, 'stopping');
  // A person at a terminal waits for nobody's balancer.
  if (signal === 'SIGTERM') await api.server.linger(config.shutdownLingerMs);
  const unclean = await running.stop(config.shutdownDeadlineMs);
  if (unclean.length > 0) log.warn({ unclean }, 'stopped late');
  return unclean.length === 0 ? 0 : 1;
}

/** Starts, and sets the exit status once a signal has stopped it or the start has failed. */
export async function run(environment: NodeJS.ProcessEnv): Promise<void> {
  try {
    process.exitCode = await live(environment);
  } catch (error) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
    process.exitCode = 1;
  }
}
