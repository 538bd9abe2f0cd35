/** The middle one; of an even number the mean of the two in the middle. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Runs both sides in turn, so that whatever else the machine does falls on both, and changes who goes first.
 * @param {{ ours: (round: number) => Promise<number>, theirs: (round: number) => Promise<number> }} sides
 *   each answers with a rate, or a time where less is better
 * @returns medians, and the median of the rounds' ratios ours / theirs with the least and the greatest of them
 */
export async function alternate(sides, rounds, report = async () => {}) {
  const ours = [];
  const theirs = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? ['theirs', 'ours'] : ['ours', 'theirs'];
    for (const side of order) (side === 'ours' ? ours : theirs).push(await sides[side](round));
    await report(round, ours[round], theirs[round]);
  }
  const ratios = ours.map((value, round) => value / theirs[round]);
  return {
    ours: median(ours),
    theirs: median(theirs),
    ratio: median(ratios),
    least: Math.min(...ratios),
    greatest: Math.max(...ratios),
  };
}
