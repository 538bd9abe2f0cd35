import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the checkout, without a slash at its end; this file runs from `dist/tests/house/`. */
export const checkout = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

const sides = ['shared-kernel', 'infra', 'command-side', 'projections', 'query-side', 'cli', 'tests'];
const notSources = new Set(['dist', 'node_modules', 'fixtures']);

/** Paths of all TypeScript sources, relative to the checkout, with `/`. */
export function sources(): readonly string[] {
  const roots = readdirSync(checkout).filter((name) => name.endsWith('.ts'));
  return [...roots, ...sides.flatMap((side) => sourcesIn(side))].sort();
}

function sourcesIn(folder: string): readonly string[] {
  return readdirSync(join(checkout, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return notSources.has(entry.name) ? [] : sourcesIn(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

export function read(path: string): string {
  return readFileSync(join(checkout, path), 'utf8');
}
