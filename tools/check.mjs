import { join } from 'node:path';
import { audit } from './audit.mjs';
import { jest } from '../bootstrap/jest.mjs';
import { prepare } from '../bootstrap/prepare.mjs';
import { runNode } from '../bootstrap/run.mjs';

const quality = { stdio: 'inherit' };

/** What `npm run check` runs, in this order. Types are checked by the build, tests included. */
const steps = {
  format: () =>
    runNode([join('node_modules', 'prettier', 'bin', 'prettier.cjs'), '--check', '.', '--log-level=warn'], quality),
  lint: () => runNode([join('node_modules', 'eslint', 'bin', 'eslint.js'), '.', '--max-warnings=0'], quality),
  types: () => runNode([join('node_modules', 'typescript-7', 'bin', 'tsc'), '-b'], quality),
  audit,
  boundaries: () => runNode([join('tools', 'boundaries.mjs')], quality),
  tests: () => jest([]),
};

/** `npm run check` runs all; `npm run check -- lint types` runs those. */
const wanted = process.argv.slice(2).length > 0 ? process.argv.slice(2) : Object.keys(steps);
const unknown = wanted.filter((name) => !Object.hasOwn(steps, name));
if (unknown.length > 0) {
  process.stderr.write(`There is no check ${unknown.join(', ')}; there are ${Object.keys(steps).join(', ')}.\n`);
  process.exit(2);
}

await prepare({ dev: true });
const lines = [];
for (const name of wanted) {
  const start = performance.now();
  const code = await steps[name]();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  lines.push(`${code === 0 ? 'passed' : 'FAILED'}  ${name} (${seconds} s)`);
  if (code !== 0) process.exitCode = 1;
}
process.stdout.write(`\n${lines.join('\n')}\n`);
