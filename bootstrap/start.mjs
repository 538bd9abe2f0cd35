import { partNamed, runPart } from './parts.mjs';
import { prepare } from './prepare.mjs';

const part = partNamed(process.argv[2] ?? 'all');
await prepare({ dev: false });
await runPart(part);
