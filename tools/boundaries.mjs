import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { cruise } from 'dependency-cruiser';
import configuration from '../.dependency-cruiser.mjs';
import { root } from '../bootstrap/root.mjs';

/** The arrows that a tree breaks: which rule, from where, to where, and the reason of the rule. */
export async function brokenArrows(folder = root) {
  const { forbidden, options } = configuration;
  const places = readdirSync(folder, { withFileTypes: true })
    .filter((entry) =>
      entry.isDirectory() ? /^[a-z]/.test(entry.name) && !skipped.has(entry.name) : /\.ts$/.test(entry.name),
    )
    .map((entry) => entry.name);
  const { output } = await cruise(places, { ...options, baseDir: folder, validate: true, ruleSet: { forbidden } });
  return output.summary.violations.map(({ rule, from, to }) => {
    const { comment } = forbidden.find((one) => one.name === rule.name);
    return { rule: rule.name, from, to, reason: comment };
  });
}

const skipped = new Set(['node_modules', 'dist', 'docs', 'bootstrap', 'tools', 'bench', 'coverage', 'waybill-data']);

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const broken = await brokenArrows();
  for (const { rule, from, to, reason } of broken) {
    process.stderr.write(`${rule}: ${from}${to === from ? '' : ` → ${to}`}\n    ${reason}\n`);
  }
  process.stderr.write(`boundaries: ${broken.length === 0 ? 'every arrow is allowed' : `${broken.length} broken`}\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}
