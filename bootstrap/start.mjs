import { setFlagsFromString } from 'node:v8';
import { prepare } from './prepare.mjs';

// One thread collects young garbage: helpers would take processors from the threads that do the work, and gain little
// on heaps of this size (docs/benchmarks.md). A Node without this flag says so and goes on.
setFlagsFromString('--no-parallel-scavenge');
await prepare({ dev: false });
await import('../dist/main.js');
