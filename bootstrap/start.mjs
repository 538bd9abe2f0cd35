import { prepare } from './prepare.mjs';

await prepare({ dev: false });
await import('../dist/main.js');
