/** This file owns the `sluice` process: arguments in, exit status out. */
import { createProgram } from './program.ts';
import { runProgram } from './run.ts';

process.exitCode = await runProgram(createProgram(), process.argv);
