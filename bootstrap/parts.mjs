import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { root } from './root.mjs';

/** What can be started, each a process: everything in one, one of several, or the command line. Where it is compiled to. */
export const parts = {
  all: 'dist/main.js',
  'write-api': 'command-side/dist/main.js',
  'read-api': 'query-side/dist/main.js',
  relay: 'command-side/dist/relay/main.js',
  projector: 'projections/dist/main.js',
  fulfilment: 'command-side/dist/fulfilment/main.js',
  'payment-simulator': 'infra/dist/payment-gateway/simulator/main.js',
  cli: 'cli/dist/main.js',
};

/** Exit code of "used wrongly", as the command line has it. */
const usedWrongly = 2;

/** The name of a part, or the end of this process with a sentence that names them all. */
export function partNamed(name) {
  if (Object.hasOwn(parts, name)) return name;
  process.stderr.write(`There is no part "${name}"; the parts are ${Object.keys(parts).join(', ')}.\n`);
  process.exit(usedWrongly);
}

/** Runs a part in this very process, so that a signal to it is a signal to the part. */
export async function runPart(name) {
  // One thread collects young garbage: helpers would take processors from the threads that do the work, and gain little
  // on heaps of this size (docs/benchmarks.md). A Node without this flag says so and goes on.
  setFlagsFromString('--no-parallel-scavenge');
  await import(pathToFileURL(join(root, parts[name])).href);
}
