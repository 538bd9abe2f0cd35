import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Explained, explained } from '../../bootstrap/explained.mjs';
import { run } from '../../bootstrap/run.mjs';

// Installs what the servers of the tests need on Debian and its kin: `node tools/servers/packages.mjs`.

/** What the servers of the tests need on this machine, and the package that brings it. */
const ofServers = [
  { what: 'RabbitMQ', package: 'rabbitmq-server', isThere: () => existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server') },
  { what: 'nginx', package: 'nginx', isThere: () => programFile('nginx') !== undefined },
  { what: 'libfaketime', package: 'libfaketime', isThere: () => falseTimeLibrary() !== undefined },
  { what: 'a JDK', package: 'default-jdk-headless', isThere: () => programFile('javac') !== undefined },
  { what: 'Maven', package: 'maven', isThere: () => programFile('mvn') !== undefined },
];

const attempts = 3;
/** Milliseconds. */
const timeLimits = { update: 120_000, install: 300_000, betweenAttempts: 5_000 };

/** What is not on this machine. */
function missing(needs) {
  return needs.filter(({ isThere }) => !isThere());
}

/** Throws `Explained` with all that is not on this machine. */
export function requirePackages(needs = ofServers) {
  const lacking = missing(needs);
  if (lacking.length === 0) return;
  throw new Explained(
    `This needs ${lacking.map(({ what }) => what).join(', ')}; on Debian and its kin: ` +
      `apt-get install ${lacking.map((one) => one.package).join(' ')}`,
  );
}

/** Installs what is missing. As root, or with a sudo that asks nothing. Throws `Explained` when that does not work. */
export async function installPackages(needs = ofServers) {
  const packages = missing(needs).map((one) => one.package);
  if (packages.length === 0) return;
  process.stderr.write(`Installing ${packages.join(', ')} …\n`);
  for (let attempt = 1; missing(needs).length > 0 && attempt <= attempts; attempt += 1) {
    if (attempt > 1) await sleep(timeLimits.betweenAttempts);
    try {
      await aptGet(['update'], timeLimits.update);
      await aptGet(['install', '-y', '--no-install-recommends', ...packages], timeLimits.install);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      break; // There is no apt-get, or nothing by which to become root.
    }
  }
  requirePackages(needs);
}

function aptGet(args, timeout) {
  const options = ['-qq', '-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=120'];
  const command = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...options, ...args];
  const [program, ...words] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  return run(program, words, { stdio: ['ignore', 'ignore', 'inherit'], timeout });
}

/** Where a program is: on the PATH, or where those for administrators are. */
export function programFile(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
}

/** By which the wall clock of a process is set from outside; Debian has it in a folder by architecture. */
export function falseTimeLibrary(folder = '/usr/lib') {
  if (!existsSync(folder)) return undefined;
  const files = readdirSync(folder).map((name) => join(folder, name, 'faketime', 'libfaketimeMT.so.1'));
  return files.find((file) => existsSync(file));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await explained(() => installPackages(), 3);
}
