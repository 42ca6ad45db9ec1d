// `npm start`: from a fresh clone to a running Sluice. Arguments go to `sluice up`: npm start -- --port 9000
//
// package.json says `exec node …`, so that npm's child is this process and not a shell: a shell would die of the signal
// that stops us, take npm along, and leave the rest to end alone.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, checkNode, endWith, installPackages, provideRedisServer, ROOT } from './setup.mjs';
import { step } from './steps.mjs';

checkNode();
process.chdir(ROOT);
try {
  await installPackages();
  await step('Building', build);
  const { Env, namesRedis } = await import(pathToFileURL(join(ROOT, 'packages/config/dist/index.js')).href);
  if (!namesRedis(new Env(process.env))) await provideRedisServer();
} catch (error) {
  endWith(error);
}

// In this process, so that there is one less to stop.
const cli = join(ROOT, 'apps/cli/dist/main.js');
process.argv = [process.execPath, cli, 'up', ...process.argv.slice(2)];
await import(pathToFileURL(cli).href);
