/**
 * Entry point of the image: `run.mjs <process> [arguments]`. The process runs in this very Node, so that a signal to the
 * container is a signal to it. Nothing is installed or built here.
 */
import { setFlagsFromString } from 'node:v8';

/** The processes of the image, by the name that starts them. */
export const processes = {
  all: 'dist/main.js',
  'write-api': 'command-side/dist/main.js',
  'read-api': 'query-side/dist/main.js',
  relay: 'command-side/dist/relay/main.js',
  projector: 'projections/dist/main.js',
  fulfilment: 'command-side/dist/fulfilment/main.js',
  cli: 'projections/dist/cli/main.js',
};

/** Exit code of "used wrongly", as the command line has it. */
const usedWrongly = 2;

if (import.meta.main ?? process.argv[1] === new URL(import.meta.url).pathname) {
  const [name] = process.argv.splice(2, 1);
  if (name === undefined || !Object.hasOwn(processes, name)) {
    process.stderr.write(`Say which process: ${Object.keys(processes).join(', ')}.\n`);
    process.exit(usedWrongly);
  }
  // As `npm start` does; see docs/benchmarks.md.
  setFlagsFromString('--no-parallel-scavenge');
  await import(new URL(`../../../${processes[name]}`, import.meta.url).href);
}
