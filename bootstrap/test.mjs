import { jest } from './jest.mjs';
import { prepare } from './prepare.mjs';

await prepare({ dev: true });
process.exitCode = await jest(process.argv.slice(2));
