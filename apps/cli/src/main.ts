/** This file owns the `sluice` process: arguments in, exit status out. */
import { leaveWhenUnread } from './interruption.ts';
import { runProgram } from './program.ts';

let stdin: NodeJS.ReadStream | undefined;

leaveWhenUnread(process.stdout, process.stderr);
process.exitCode = await runProgram(process.argv.slice(2), {
  // Opened by the commands that read it.
  get stdin() {
    stdin ??= process.stdin;
    return stdin;
  },
  isWatched: process.stderr.isTTY === true,
  variables: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
});
// Whoever writes to it may not be done, and would keep this process.
stdin?.destroy();
