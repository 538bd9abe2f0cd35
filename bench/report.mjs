import { readFileSync } from 'node:fs';

const number = (value) =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toLocaleString('en', { maximumSignificantDigits: 3 });

/** The table of a run, and below it what the profile showed (kept by hand in `profile.md`). */
export function report(results, rounds) {
  const rows = results.map(({ what, against, unit, atLeast, atMost, ours, theirs, ratio, least, greatest }) => {
    const target = atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
    const met = atLeast === undefined ? ratio <= atMost : ratio >= atLeast;
    const figures = `${number(ours)} ${unit} | ${number(theirs)} ${unit}`;
    return `| ${what} | ${against} | ${figures} | **${ratio.toFixed(2)}** (${least.toFixed(2)} – ${greatest.toFixed(2)}) | ${target} | ${met ? 'yes' : 'no'} |`;
  });
  const notes = results
    .filter((result) => result.notes.length > 0)
    .map((result) => `- ${result.what}: ${result.notes.join('; ')}.`);
  return `# Benchmarks

Written by \`npm run bench\`; figures of one machine at one time, so only the ratios say something. Each is the median of
${rounds} rounds in which both sides took turns; in brackets the least and the greatest ratio of a round.

| what | against | ours | theirs | ratio | wanted | met |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

${notes.length === 0 ? '' : `${notes.join('\n')}\n\n`}${readFileSync(new URL('./profile.md', import.meta.url), 'utf8')}`;
}
