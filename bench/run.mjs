// npm run bench [-- [--profile servers] <case> …]: each case side by side with what it is compared to; writes the
// profile's page when all ran.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { medianFdatasync } from './fdatasync.mjs';
import { report } from './report.mjs';
import { alternate, median } from './rounds.mjs';

const profiles = {
  embedded: async () => (await import('./profiles/embedded.mjs')).embedded,
  servers: async () => (await import('./profiles/servers.mjs')).servers,
};
const rounds = Number(process.env.WAYBILL_BENCH_ROUNDS ?? 5);
const root = new URL('../', import.meta.url);

const { values, positionals: wanted } = parseArgs({
  options: { profile: { type: 'string', default: 'embedded' } },
  allowPositionals: true,
});
refuse([values.profile], Object.keys(profiles));
const profile = await profiles[values.profile]();
refuse(
  wanted,
  profile.cases.map(({ name }) => name),
);

const results = [];
try {
  for (const one of profile.cases.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    results.push(await run(one));
  }
} finally {
  await profile.close();
}
const text = report(results, rounds, profile, readFileSync(new URL(profile.findings, root), 'utf8'));
if (wanted.length === 0) {
  writeFileSync(new URL(profile.page, root), text);
  process.stdout.write(`Written to ${profile.page}.\n`);
} else {
  process.stdout.write(`\n${text}`);
}

async function run(one) {
  const notes = [];
  const notesOfRounds = [];
  process.stdout.write(`${one.name}: preparing …\n`);
  const sides = await one.sides({ note: (text) => notesOfRounds.push(text), noteOnce: (text) => notes.push(text) });
  const syncs = [await medianFdatasync()];
  const show = (number) => (number >= 100 ? Math.round(number).toLocaleString('en') : number.toFixed(2));
  try {
    const result = await alternate(sides, rounds, async (round, ours, theirs) => {
      syncs.push(await medianFdatasync());
      const of = `${show(ours)} against ${show(theirs)} ${one.unit}: ${(ours / theirs).toFixed(2)}`;
      const note = notesOfRounds[round];
      process.stdout.write(`${one.name} ${round + 1}/${rounds}: ${of}${note === undefined ? '' : ` (${note})`}\n`);
    });
    notes.push(`fdatasync ${median(syncs).toFixed(2)} ms (median)`);
    return { ...one, ...result, notes: [...notes, ...notesOfRounds] };
  } finally {
    await sides.close?.();
  }
}

/** Ends the run where one of the names is none of those that there are. */
function refuse(names, those) {
  const unknown = names.filter((name) => !those.includes(name));
  if (unknown.length === 0) return;
  process.stderr.write(`There is no ${unknown.join(', ')}. There are: ${those.join(', ')}.\n`);
  process.exit(2);
}
