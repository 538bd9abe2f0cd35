import { join } from 'node:path';
import { alone } from './alone.mjs';
import { compile, compiled } from './compile.mjs';
import { explained } from './explained.mjs';
import { install, installed, isWorkplace } from './install.mjs';
import { requireNode } from './node-version.mjs';
import { root } from './root.mjs';

/** Exit code of "something it needs is down", as the command line has it. */
const cannotPrepare = 3;

/**
 * Makes the checkout ready to run, or with `dev` to build and test: installs when the lockfile changed since the last
 * install, compiles what changed since the last build. When nothing did, it only looks: no network, no compiler, no
 * file written. Safe when several processes ask at once. On a failure it says on standard error what to do and ends
 * the process with 3.
 */
export async function prepare({ dev }) {
  await explained(async () => {
    requireNode();
    if (ready({ dev })) return;
    await alone(
      join(root, '.bootstrap'),
      () => makeReady({ dev }),
      () => {
        process.stderr.write('Another process is installing or building here; waiting for it …\n');
      },
    );
  }, cannotPrepare);
}

/** A development install holds what production needs. */
function suffices(mode, dev) {
  return mode === 'development' || (mode === 'production' && !dev);
}

function ready({ dev }) {
  return suffices(installed(), dev) && compiled({ dev });
}

async function makeReady({ dev }) {
  if (!suffices(installed(), dev)) await install({ dev: dev || isWorkplace() });
  const withTests = installed() === 'development';
  if (!compiled({ dev: withTests })) await compile({ dev: withTests });
}
