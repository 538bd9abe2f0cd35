import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { checkout, read } from './checkout.js';
import { links } from './documents.js';

const glossary = 'docs/glossary.md';

/** The rows of the table, without its head: term, meaning, file. */
function rows(): readonly (readonly string[])[] {
  const lines = read(glossary).match(/^\|.*\|$/gm) ?? [];
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('the glossary', () => {
  test('says of each term what it means and where it is', () => {
    expect(rows().length).toBeGreaterThan(50);
    expect(rows().filter((row) => row.length !== 3 || row.some((cell) => cell === ''))).toEqual([]);
  });

  test('names only files that exist', () => {
    const files = rows().map(([, , file]) => file!.replace(/^`(.*)`$/, '$1'));
    expect(files.filter((file) => !existsSync(join(checkout, file)))).toEqual([]);
  });

  test('has each term once, in alphabetical order', () => {
    const terms = rows().map(([term]) => term!);
    expect(terms).toEqual([...new Set(terms)].sort());
  });

  test.each(['README.md', 'CONTRIBUTING.md'])('is linked from %s', (document) => {
    expect(links(document)).toContain(glossary);
  });
});
