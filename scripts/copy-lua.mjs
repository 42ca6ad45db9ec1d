// Copies src/lua/*.lua beside the compiled code: the compiler carries TypeScript only.
import { cpSync, existsSync } from 'node:fs';

if (existsSync('src/lua')) cpSync('src/lua', 'dist/lua', { recursive: true });
