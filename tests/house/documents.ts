import { read } from './checkout.js';

/** The documents whose examples must hold. */
export const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'docs/architecture.md',
  'docs/deployment.md',
  'docs/decisions/README.md',
] as const;

/** The shell examples of a document, fenced as `sh`. */
export function shellExamples(path: string): readonly string[] {
  return [...read(path).matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text!);
}

/** Paths in backquotes in the cells of tables: `main.ts`, `docs/architecture.md` … */
export function pathsInTables(path: string): readonly string[] {
  const rows = read(path).match(/^\|.*\|$/gm) ?? [];
  return rows.flatMap((row) => [...row.matchAll(/`([\w./-]+\.\w+)`/g)].map(([, file]) => file!));
}

/** Targets of relative links, relative to the checkout. */
export function links(path: string): readonly string[] {
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : '';
  return [...read(path).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => `${folder}${target}`);
}
