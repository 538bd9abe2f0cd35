/** The condition of texts that begin with `prefix`, as a range that an index answers: by code point, as MongoDB compares. */
export function beginningWith(prefix: string): { $gte: string; $lt?: string } {
  const end = endOf(prefix);
  return end === undefined ? { $gte: prefix } : { $gte: prefix, $lt: end };
}

const lastCodePoint = 0x10ffff;

/** The first text after all those that begin with `prefix`; `undefined` where there is none. */
function endOf(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  while (points.at(-1) === lastCodePoint) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // Surrogates are no characters, and UTF-8 has none.
  const next = last + 1 === 0xd800 ? 0xe000 : last + 1;
  return String.fromCodePoint(...points, next);
}
