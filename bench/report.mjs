const number = (value) =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toLocaleString('en', { maximumSignificantDigits: 3 });

/** The table of a run, and below it what the profiler showed (`findings`, kept by hand). */
export function report(results, rounds, { title, command, other }, findings) {
  const rows = results.flatMap((result) => [...notRun(result), row(result)]);
  const notes = results
    .filter((result) => result.notes.length > 0)
    .map((result) => `- ${result.what}: ${result.notes.join('; ')}.`);
  return `# ${title}

Written by \`${command}\`; figures of one machine at one time, so only the ratios say something. Each is the median of
${rounds} rounds in which both sides took turns; in brackets the least and the greatest ratio of a round. ${other}

| what | against | ours | theirs | ratio | wanted | met |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

${notes.length === 0 ? '' : `${notes.join('\n')}\n\n`}${findings}`;
}

function row({ what, against, unit, atLeast, atMost, ours, theirs, ratio, least, greatest, standsFor }) {
  const met = atLeast === undefined ? ratio <= atMost : ratio >= atLeast;
  const figures = `${number(ours)} ${unit} | ${number(theirs)} ${unit}`;
  const isJudged = standsFor === undefined && (atLeast ?? atMost) !== undefined;
  const judged = isJudged ? `${target({ atLeast, atMost })} | ${met ? 'yes' : 'no'}` : '– | –';
  return `| ${what} | ${against} | ${figures} | **${ratio.toFixed(2)}** (${least.toFixed(2)} – ${greatest.toFixed(2)}) | ${judged} |`;
}

/** The row of what could not be run, ahead of that of what was run instead. */
function notRun({ standsFor, against, atLeast, atMost }) {
  if (standsFor === undefined) return [];
  return [`| ${standsFor} | ${against} | not run here | | | ${target({ atLeast, atMost })} | |`];
}

function target({ atLeast, atMost }) {
  return atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`;
}
