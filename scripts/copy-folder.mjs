// Copies a folder of src to the same place beside the compiled code: the compiler carries TypeScript only.
import { cpSync } from 'node:fs';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new TypeError('copy-folder.mjs needs the folder, from src');
cpSync(`src/${folder}`, `dist/${folder}`, { recursive: true });
