/**
 * This file owns how the API's modules are loaded: by `require`, which reads one file after the other. `import` goes
 * through the event loop for each of some 400, and takes a third longer until the API listens.
 */
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);
const { run } = load('./process.js') as typeof import('./process.ts');
await run(process.env);
