import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Explained } from './explained.mjs';
import { root } from './root.mjs';
import { runNode } from './run.mjs';

const stampFile = join(root, 'dist', '.waybill-built.json');

/** The projects of the build: the workspaces in `package.json`, and the composition roots beside it. */
function projects() {
  return [...JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces, '.'];
}

/**
 * Whether what lies in the `dist` folders was compiled from the sources as they are now, for this mode or one that
 * holds it. The stamp names every source with size and time of change, so that deleted files and those of an older
 * branch count as changes too.
 */
export function compiled({ dev }) {
  try {
    const stamp = JSON.parse(readFileSync(stampFile, 'utf8'));
    return (
      (stamp.dev || !dev) &&
      stamp.sources === sourcesStamp() &&
      stamp.outputs.every((file) => existsSync(join(root, file)))
    );
  } catch {
    return false;
  }
}

/** Compiles what changed, tests too for `dev`. Throws `Explained` when it does not compile. */
export async function compile({ dev }) {
  const sources = sourcesStamp();
  rmSync(stampFile, { force: true });
  const project = dev ? 'tsconfig.json' : 'tsconfig.build.json';
  const code = await runNode([join('node_modules', 'typescript-7', 'bin', 'tsc'), '-b', project]);
  if (code !== 0) throw new Explained('It does not compile; the compiler says above where and why.');
  removeLeftovers();
  mkdirSync(dirname(stampFile), { recursive: true });
  const outputs = projects().map((folder) => join(folder, 'dist', dev ? '.tsbuildinfo' : '.build.tsbuildinfo'));
  writeFileSync(stampFile, JSON.stringify({ dev, sources, outputs }));
}

function sourcesStamp() {
  const hash = createHash('sha256');
  for (const file of sourceFiles()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(root, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** What the compiler reads of ours: sources and settings. */
function* sourceFiles() {
  for (const folder of projects()) {
    if (folder !== '.') yield* walk(join(root, folder), /\.ts$|^tsconfig.*\.json$|^package\.json$/);
  }
  yield* walk(join(root, 'tests'), /\.ts$/);
  for (const name of readdirSync(root).sort()) {
    if (/\.ts$|^tsconfig.*\.json$|^package-lock\.json$/.test(name)) yield join(root, name);
  }
}

function* walk(folder, wanted) {
  if (!existsSync(folder)) return;
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    if (entry.isDirectory()) {
      if (entry.name !== 'dist' && entry.name !== 'node_modules') yield* walk(join(folder, entry.name), wanted);
    } else if (wanted.test(entry.name)) {
      yield join(folder, entry.name);
    }
  }
}

/** Takes away the output of sources that are gone: a deleted test must not go on running. */
function removeLeftovers() {
  for (const folder of projects()) {
    const output = join(root, folder, 'dist');
    for (const file of walk(output, /\.js(\.map)?$|\.d\.ts(\.map)?$/)) {
      const source = relative(output, file).replace(/(\.js|\.d\.ts)(\.map)?$/, '.ts');
      if (!existsSync(join(root, folder, source))) rmSync(file);
    }
  }
}
