import { hasEscapes, valuesOf } from './value-list.js';

/**
 * A value as one token of the full-text index: the number of its field, then the value, all ASCII but letters and
 * digits made `_`. The beginning of a value gives the beginning of its token. Different values may give the same token
 * (the tokenizer also forgets the case), so what is found is tested again.
 */
function token(field: number, value: string): string {
  return field + value.replace(/[\0-/:-@[-`{-\x7f]/g, '_');
}

/** The text under which a document with these lists of values (`valueList`), one a field, is found; `''` for none. */
export function searchText(lists: readonly string[]): string {
  return lists.flatMap((list, field) => (list === '' ? [] : tokensOf(field, list))).join(' ');
}

function tokensOf(field: number, list: string): string {
  if (hasEscapes(list))
    return valuesOf(list)
      .map((value) => token(field, value))
      .join(' ');
  // All at once: a list without escapes has line breaks between its values alone.
  const values = list.slice(1, -1).replace(/[\0-\x09\x0b-/:-@[-`{-\x7f]/g, '_');
  return field + values.replaceAll('\n', ` ${field}`);
}

/** The beginning of a value of a field, by its number. */
export interface Beginning {
  readonly field: number;
  readonly prefix: string;
}

/** A query for documents that have a value with this beginning. */
export function searchQuery({ field, prefix }: Beginning): string {
  return `"${token(field, prefix)}" *`;
}

/** Between which words those with this beginning stand: from the first, inclusive, to the second. */
export function wordRange({ field, prefix }: Beginning): readonly [from: string, to: string] {
  const word = token(field, prefix).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return [word, `${word}\u{10ffff}`];
}
