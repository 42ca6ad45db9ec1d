#!/usr/bin/env node
// `npx sluice`: npm links a command only to a file that is there before the build.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  console.error('Sluice is not built yet: npm start, or npm run build.');
  process.exitCode = 1;
}
