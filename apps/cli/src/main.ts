/** This file owns the `sluice` process: arguments in, exit status out. */
import { runProgram } from './program.ts';

process.exitCode = await runProgram(process.argv.slice(2), {
  variables: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
});
