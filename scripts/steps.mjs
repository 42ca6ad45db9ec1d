// This file owns how the scripts show their work: one line a step, moving on a terminal, plain elsewhere. No dependency.
import { spawn } from 'node:child_process';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
/** How often a step that takes long says so where nothing can move. */
const STILL_MS = 10_000;
const isTerminal = Boolean(process.stdout.isTTY) && !process.env.CI;

/** Shows `title` while `work` runs, then how long it took. A failure is shown and thrown on. */
export async function step(title, work) {
  const startedAt = performance.now();
  const seconds = () => ((performance.now() - startedAt) / 1_000).toFixed(1);
  const stopMoving = isTerminal ? spin(title) : tell(title, seconds);
  try {
    const result = await work();
    stopMoving();
    console.log(isTerminal ? `✓ ${title} (${seconds()} s)` : `  done in ${seconds()} s`);
    return result;
  } catch (error) {
    stopMoving();
    console.log(isTerminal ? `✗ ${title} (${seconds()} s)` : `  failed after ${seconds()} s`);
    throw error;
  }
}

function spin(title) {
  let frame = 0;
  const draw = () => process.stdout.write(`\r\x1b[2K${FRAMES[frame++ % FRAMES.length]} ${title}`);
  draw();
  const timer = setInterval(draw, FRAME_MS);
  return () => {
    clearInterval(timer);
    process.stdout.write('\r\x1b[2K');
  };
}

function tell(title, seconds) {
  console.log(`• ${title}`);
  const timer = setInterval(() => console.log(`  still at it, ${seconds()} s`), STILL_MS);
  return () => clearInterval(timer);
}

/** A command that failed; `output` is all it said. */
export class CommandError extends Error {
  constructor(command, status, output) {
    super(`${command} ended with ${status}`);
    this.name = 'CommandError';
    this.output = output;
  }
}

/**
 * Runs a command to its end and answers its output; throws `CommandError` unless its status is 0. `shows` hands it the
 * terminal instead. Ended with us, and after `timeoutMs` (default: no limit); `cwd` is where it runs.
 */
export async function run(command, args, { env = {}, shows = false, timeoutMs = 0, cwd } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: shows ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    // npm is a script on Windows.
    shell: process.platform === 'win32',
  });
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  const passOn = (signal) => {
    child.kill(signal);
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.on('SIGINT', passOn).on('SIGTERM', passOn);
  try {
    const status = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? signal));
    });
    if (status !== 0) throw new CommandError(`${command} ${args.join(' ')}`, status, output);
    return output;
  } finally {
    process.off('SIGINT', passOn).off('SIGTERM', passOn);
  }
}
