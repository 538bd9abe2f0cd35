import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Explained, explained } from '../bootstrap/explained.mjs';
import { npm } from '../bootstrap/install.mjs';
import { prepare } from '../bootstrap/prepare.mjs';
import { root } from '../bootstrap/root.mjs';
import { runNode } from '../bootstrap/run.mjs';

/** The benchmarks are a package of their own, so that nobody who only wants to run Waybill installs them. */
const bench = join(root, 'bench');

// What starts the servers is compiled with the tests.
await prepare({ dev: process.argv.some((word) => /^(--profile=)?servers$/.test(word)) });
await explained(async () => {
  if (existsSync(join(bench, 'node_modules'))) return;
  process.stderr.write('Installing what the benchmarks compare with …\n');
  const code = await npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: bench,
    stdio: ['ignore', 2, 2],
  });
  if (code !== 0)
    throw new Explained(`Installing in bench/ failed (npm ended with ${code}); see above, then try again.`);
}, 3);
process.exitCode = await runNode([join(bench, 'run.mjs'), ...process.argv.slice(2)], { cwd: bench, stdio: 'inherit' });
