// Before `npm pack` of a package: the licence beside it (npm takes none from a folder above), and a refusal when it was not
// built or would be published with a dependency on any version of its siblings.
import { copyFileSync, existsSync, readFileSync } from 'node:fs';

const { name, version, exports, dependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8'));
const entries = Object.values(exports).flatMap((entry) =>
  typeof entry === 'string' ? [entry] : Object.values(entry),
);
const faults = [
  ...entries.filter((path) => !existsSync(path)).map((path) => `${path} is not there: run npm run build`),
  ...Object.entries(dependencies)
    .filter(([sibling, wanted]) => sibling.startsWith('@sluice/') && wanted !== version)
    .map(
      ([sibling, wanted]) => `it wants ${sibling} ${wanted}; packages are published together, as ${version}`,
    ),
];
if (faults.length > 0) {
  console.error(`${name} is not ready to be packed:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  process.exit(1);
}
copyFileSync('../../LICENSE', 'LICENSE');
