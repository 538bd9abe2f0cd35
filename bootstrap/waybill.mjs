#!/usr/bin/env node
import { prepare } from './prepare.mjs';

await prepare({ dev: false });
await import('../cli/dist/main.js');
