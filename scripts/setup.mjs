// This file owns what must be there before a script can do its work: Node, the packages, programs of the system.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { env } from 'node:process';
import { fileURLToPath } from 'node:url';
import { CommandError, run, step } from './steps.mjs';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Package lists come from the network; a machine without one must not wait for long. */
const APT_OPTIONS = [
  '-qq',
  '-o',
  'Acquire::Retries=1',
  '-o',
  'Acquire::http::Timeout=15',
  '-o',
  'DPkg::Lock::Timeout=60',
];
const APT_TIMEOUT_MS = 300_000;
const OFF = ['0', 'false', 'no', 'off'];

/** Ends the process with a sentence when this Node is too old. */
export function checkNode() {
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).engines.node.replace('>=', '');
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  console.error(
    `This is Node ${process.versions.node}; Sluice needs ${wanted} or newer: https://nodejs.org/en/download`,
  );
  process.exit(1);
}

/** `npm ci`, unless node_modules holds exactly what package-lock.json asks for. */
export async function installPackages() {
  if (isInstalled()) return;
  await step('Installing packages (npm ci)', () =>
    run('npm', ['ci', '--include=dev', '--no-fund', '--no-audit'], { env: { NODE_ENV: '' } }),
  );
}

/** npm leaves the lock it installed by in node_modules; what is missing there must be optional (other platforms'). */
function isInstalled() {
  const lock = readJson(join(ROOT, 'package-lock.json'));
  const installed = readJson(join(ROOT, 'node_modules', '.package-lock.json'));
  if (!lock || !installed) return false;
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (!path.includes('node_modules/')) return true;
    if (wanted.link) return existsSync(join(ROOT, path));
    const found = installed.packages[path];
    return found
      ? found.version === wanted.version && found.integrity === wanted.integrity
      : Boolean(wanted.optional);
  });
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

/** Compiles what has changed. turbo would send usage figures otherwise. */
export function build() {
  return run(join(ROOT, 'node_modules', '.bin', 'turbo'), ['run', 'build', '--output-logs=errors-only'], {
    env: { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
  });
}

/** The first of these programs on PATH, or `undefined`. */
export function findProgram(names) {
  for (const name of names) {
    for (const folder of (env.PATH ?? '').split(delimiter)) {
      if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  return undefined;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Absent or not ours to run: the same to us.
    return false;
  }
}

/**
 * Installs a package of the system where that needs nobody's password: apt-get as root or through `sudo -n`. Answers
 * whether it did; a failure is told and not thrown. `SLUICE_INSTALL=off` forbids it.
 *
 * No service of the package is started, now or at the next boot: /usr/sbin/policy-rc.d is Debian's word for that.
 */
export async function installSystemPackage({ name, reason, service }) {
  if (OFF.includes((env.SLUICE_INSTALL ?? '').toLowerCase())) return false;
  const aptGet = findProgram(['apt-get']);
  const asRoot = aptGet ? await waysToRoot() : undefined;
  if (!asRoot) return false;
  const apt = `${aptGet} ${APT_OPTIONS.join(' ')}`;
  const script = [
    'set -e',
    'policy=/usr/sbin/policy-rc.d',
    'if [ ! -e $policy ]; then',
    `  trap 'rm -f '$policy EXIT`,
    `  printf '#!/bin/sh\\nexit 101\\n' > $policy && chmod 755 $policy`,
    'fi',
    'export DEBIAN_FRONTEND=noninteractive',
    `${apt} install -y --no-install-recommends ${name} || { ${apt} update && ${apt} install -y --no-install-recommends ${name}; }`,
    service ? `if [ -d /run/systemd/system ]; then systemctl disable --quiet ${service} || true; fi` : '',
  ].join('\n');
  const [command, ...before] = [...asRoot, 'sh', '-c', script];
  try {
    await step(`Installing ${name} (apt-get): ${reason}`, () =>
      run(command, before, { timeoutMs: APT_TIMEOUT_MS }),
    );
    return true;
  } catch (error) {
    const lastWords =
      error instanceof CommandError ? error.output.trim().split('\n').slice(-3).join('\n  ') : error.message;
    console.log(`  ${name} could not be installed:\n  ${lastWords}`);
    return false;
  }
}

async function waysToRoot() {
  if (process.getuid?.() === 0) return [];
  if (!findProgram(['sudo'])) return undefined;
  try {
    await run('sudo', ['-n', 'true']);
    return ['sudo', '-n'];
  } catch {
    // sudo would ask for a password.
    return undefined;
  }
}

/** Sees to a real Redis server on PATH. Answers whether there is one. */
export async function provideRedisServer() {
  const programs = ['redis-server', 'valkey-server'];
  if (findProgram(programs)) return true;
  await installSystemPackage({
    name: 'redis-server',
    reason: 'nothing here can serve Redis',
    service: 'redis-server',
  });
  if (findProgram(programs)) return true;
  const manual = [
    ['apt-get', 'sudo apt-get install redis-server'],
    ['dnf', 'sudo dnf install valkey'],
    ['apk', 'apk add valkey'],
    ['pacman', 'sudo pacman -S valkey'],
    ['brew', 'brew install redis'],
  ].find(([manager]) => findProgram([manager]));
  console.log(
    `• No redis-server here. ${manual ? `To have one: ${manual[1]}` : 'To have one: https://redis.io/docs/latest/operate/oss_and_stack/install/'}`,
  );
  return false;
}

/** Shows what a failed command said, and ends the process. */
export function endWith(error) {
  if (error instanceof CommandError) console.error(`${error.output.trim()}\n\n${error.message}`);
  else console.error(error.stack);
  process.exit(1);
}
