import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Explained } from './explained.mjs';
import { root } from './root.mjs';
import { run } from './run.mjs';

const stampFile = join(root, 'node_modules', '.waybill-installed.json');

/** `development`, `production`, or `undefined` when what is installed is not what the lockfile of today asks for. */
export function installed() {
  const stamp = lastInstall();
  return stamp?.lock === lockHash() && stamp.platform === platform ? stamp.mode : undefined;
}

/** Whether this checkout is somebody's workplace: the last install was for building and testing, of whatever lockfile. */
export function isWorkplace() {
  return lastInstall()?.mode === 'development';
}

function lastInstall() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'));
  } catch {
    return undefined;
  }
}

const platform = `${process.platform}-${process.arch}`;

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/** Installs exactly what the lockfile says. Throws `Explained` when that does not work. */
export async function install({ dev }) {
  const lock = lockHash();
  rmSync(stampFile, { force: true });
  process.stderr.write(`Installing ${dev ? 'what building and testing needs' : 'what running needs'} …\n`);
  const code = await npm(['ci', dev ? '--include=dev' : '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error']);
  if (code !== 0) {
    throw new Explained(
      `Installing failed (npm ended with ${code}; its own words are above). ` +
        'Check that the registry can be reached (`npm ping`; behind a proxy: `npm config set proxy …`) and that the ' +
        'folder can be written, then run the command again: it goes on from here.',
    );
  }
  writeFileSync(stampFile, JSON.stringify({ lock, platform, mode: dev ? 'development' : 'production' }));
}

/** Runs the npm that started this, else the one on the PATH. Resolves with its exit code. */
export async function npm(args, options) {
  const own = process.env.npm_execpath;
  if (own !== undefined && basename(own) === 'npm-cli.js' && existsSync(own)) {
    return run(process.execPath, [own, ...args], options);
  }
  try {
    return await run('npm', args, { shell: process.platform === 'win32', ...options });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new Explained('npm was not found. It comes with Node: install Node from https://nodejs.org and try again.');
  }
}
