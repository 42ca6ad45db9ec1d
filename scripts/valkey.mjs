// This file owns the second engine of the tests: Valkey, which has WAITAOF, for machines whose Redis is older. Debian's own
// package, taken by apt with its own verification and unpacked beside the packages; nothing of the system is changed.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, ROOT } from './setup.mjs';
import { run, step } from './steps.mjs';

/** Where `waitaofProgram` of @sluice/redis/testing looks as well. */
const PROGRAM = join(ROOT, 'node_modules', '.cache', 'sluice', 'valkey-server');
const SOURCE = 'http://deb.debian.org/debian';
const SUITE = 'bookworm-backports';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** The server is in the tools: whichever name it is called by, the program is one. */
const PACKAGE = 'valkey-tools';
const BINARIES = ['valkey-server', 'valkey-check-rdb'];
const APT_TIMEOUT_MS = 120_000;

/** Sees to a server with WAITAOF. Answers whether there is one; why not is told, and is no failure. */
export async function provideValkey() {
  if (findProgram(['valkey-server']) || existsSync(PROGRAM)) return true;
  const reason = whyNot();
  if (reason === undefined) {
    try {
      await step(`Fetching Valkey (${SUITE}): the tests of WAITAOF need it`, fetchValkey);
      return true;
    } catch (error) {
      return tellNotRun(error.output?.trim().split('\n').at(-1) ?? error.message);
    }
  }
  return tellNotRun(reason);
}

function tellNotRun(reason) {
  console.log(`• NOT RUN: the tests of WAITAOF, as there is no Valkey here: ${reason}`);
  return false;
}

function whyNot() {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))
    return `it is fetched for Linux on x64 and arm64, not for ${process.platform} on ${process.arch}`;
  const missing = ['apt-get', 'dpkg-deb'].find((name) => !findProgram([name]));
  if (missing) return `it is fetched with ${missing}, which is not here`;
  return existsSync(KEYRING) ? undefined : `${KEYRING} is not here`;
}

/** A package list of its own in a folder of its own: apt verifies the suite's signature, and the package by it. */
async function fetchValkey() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-valkey-'));
  try {
    for (const name of ['lists/partial', 'cache/archives/partial', 'parts'])
      mkdirSync(join(folder, name), { recursive: true });
    const sources = join(folder, 'sources.list');
    writeFileSync(sources, `deb [signed-by=${KEYRING}] ${SOURCE} ${SUITE} main\n`);
    const apt = (...args) =>
      run('apt-get', [...aptOptions(folder, sources), ...args], { timeoutMs: APT_TIMEOUT_MS, cwd: folder });
    await apt('update');
    await apt('download', `${PACKAGE}/${SUITE}`);
    const file = readdirSync(folder).find((name) => name.endsWith('.deb'));
    const content = join(folder, 'content');
    await run('dpkg-deb', ['-x', join(folder, file), content]);
    const binary = BINARIES.map((name) => join(content, 'usr', 'bin', name)).find((each) => existsSync(each));
    mkdirSync(join(PROGRAM, '..'), { recursive: true });
    const fetched = join(folder, 'valkey-server');
    copyFileSync(binary, fetched);
    chmodSync(fetched, 0o755);
    // Tells of a library that is not here before any test does.
    await run(fetched, ['--version']);
    copyFileSync(fetched, PROGRAM);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function aptOptions(folder, sources) {
  const settings = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': join(folder, 'parts'),
    'Dir::State::Lists': join(folder, 'lists'),
    'Dir::Cache': join(folder, 'cache'),
    // Downloads by another user, who may not enter the folder.
    'APT::Sandbox::User': '',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': '15',
    'Debug::NoLocking': 'true',
  };
  return ['-qq', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** Runs Vitest with Valkey under the name of Redis: the same tests on the other engine. */
async function testOnValkey(paths) {
  if (!(await provideValkey())) return;
  const folder = mkdtempSync(join(tmpdir(), 'sluice-engine-'));
  try {
    symlinkSync(findProgram(['valkey-server']) ?? PROGRAM, join(folder, 'redis-server'));
    await run(join(ROOT, 'node_modules', '.bin', 'vitest'), ['run', '--root', ROOT, ...paths], {
      shows: true,
      env: { PATH: `${folder}${delimiter}${process.env.PATH}` },
    });
  } catch {
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const paths = process.argv.slice(2);
  await testOnValkey(paths.length > 0 ? paths : ['packages/redis', 'packages/jobs']);
}
