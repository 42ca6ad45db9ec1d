// `npm test`: everything a change must pass, from a fresh clone. Arguments go to Vitest: npm test -- packages/cache
// The last line is always `N passed, N failed`: Vitest's counts, and one failure more for each other check that failed.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  build,
  checkNode,
  endWith,
  findProgram,
  installPackages,
  installSystemPackage,
  provideRedisServer,
  ROOT,
} from './setup.mjs';
import { CommandError, run, step } from './steps.mjs';
import { provideValkey } from './valkey.mjs';

/** A test run that hangs must end before whoever waits for it gives up. */
const TESTS_TIMEOUT_MS = 1_080_000;
const CHROMIUMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Each is the name of its package as well. */
const EXAMPLE_PROGRAMS = ['python3', 'curl', 'jq'];

checkNode();
process.chdir(ROOT);
try {
  await installPackages();
  await provideRedisServer();
  if (!findProgram(CHROMIUMS))
    await installSystemPackage({ name: 'chromium', reason: 'for the browser tests' });
  if (!findProgram(['nginx']) && !existsSync('/usr/sbin/nginx')) {
    const reason = 'for the test of restarts behind a proxy';
    await installSystemPackage({ name: 'nginx', reason, service: 'nginx' });
  }
  for (const name of EXAMPLE_PROGRAMS) {
    if (!findProgram([name])) await installSystemPackage({ name, reason: 'for the tests of the examples' });
  }
  await provideValkey();
} catch (error) {
  endWith(error);
}

const checks = {
  'Format and lint (biome)': () => run(tool('biome'), ['check', '--error-on-warnings', '.']),
  'Promises (oxlint)': () => run(tool('oxlint'), ['--type-aware', '--deny-warnings']),
  'Types (tsc)': () => run(tool('tsc'), ['-p', 'tsconfig.check.json']),
  Build: build,
};
const failed = [];
for (const [title, check] of Object.entries(checks)) {
  try {
    await step(title, check);
  } catch (error) {
    failed.push(title);
    console.log(error instanceof CommandError ? error.output.trim() : error.stack);
  }
}
const tests = await runTests(process.argv.slice(2));

console.log('');
for (const title of failed) console.log(`failed: ${title}`);
const allFailed = tests.failed + failed.length;
process.exitCode = allFailed === 0 ? 0 : 1;
console.log(`${tests.passed} passed, ${allFailed} failed`);

/** Vitest's counts. A file that could not be loaded, or an error outside a test, counts as one failure. */
async function runTests(args) {
  console.log('• Tests (vitest)');
  const folder = mkdtempSync(join(tmpdir(), 'sluice-report-'));
  const report = join(folder, 'report.json');
  // Tests of whole processes run the build; without this they would build again.
  const env = failed.includes('Build') ? {} : { SLUICE_IS_BUILT: 'true' };
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  try {
    const status = await run(tool('vitest'), ['run', ...reporters, ...args], {
      shows: true,
      env,
      timeoutMs: TESTS_TIMEOUT_MS,
    }).then(
      () => 0,
      () => 1,
    );
    return count(JSON.parse(readFileSync(report, 'utf8')), status);
  } catch {
    // No report: Vitest itself did not run.
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function count({ numPassedTests, numFailedTests, testResults }, status) {
  const unloaded = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  const failed = numFailedTests + unloaded.length;
  return { passed: numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed };
}

function tool(name) {
  return join(ROOT, 'node_modules', '.bin', name);
}
