/**
 * The words by which a text is found, lower-cased: what stands between its spaces and, where that holds anything but
 * letters and digits, its parts. So `T-Shirt, blue` is found by `t-shirt`, `shirt` and `blue`.
 */
export function wordsOf(text: string): readonly string[] {
  const words = new Set<string>();
  for (const chunk of spaced(text)) {
    const bare = chunk.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '');
    if (bare !== '') words.add(bare);
    for (const part of bare.split(/[^\p{L}\p{N}]+/u)) if (part !== '') words.add(part);
  }
  return [...words];
}

/**
 * The words that somebody searches for: each must be the beginning of a word or id of what is found. One that is the
 * beginning of another is left out, since it asks nothing that the other does not.
 */
export function searchedWords(query: string): readonly string[] {
  const words = [...new Set(spaced(query))];
  return words.filter((word) => !words.some((other) => other !== word && other.startsWith(word)));
}

/** An id as a word: found by its beginning, in any case. */
export function wordOfId(id: string): string {
  return id.toLowerCase();
}

function spaced(text: string): string[] {
  return text
    .normalize('NFC')
    .toLowerCase()
    .split(/\s+/u)
    .filter((chunk) => chunk !== '');
}
