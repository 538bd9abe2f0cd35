/**
 * A value as one token of the full-text index: the number of its field, then the value, all ASCII but letters and
 * digits made `_`. The beginning of a value gives the beginning of its token. Different values may give the same token
 * (the tokenizer also forgets the case), so what is found is tested again.
 */
function token(field: number, value: string): string {
  return field + value.replace(/[\0-/:-@[-`{-\x7f]/g, '_');
}

/** The text under which a document is found, `''` for none. */
export function searchText(valuesByField: readonly (readonly string[])[]): string {
  return valuesByField.flatMap((values, field) => values.map((value) => token(field, value))).join(' ');
}

/** A query for documents that have values with all these beginnings. */
export function searchQuery(beginnings: readonly { readonly field: number; readonly prefix: string }[]): string {
  return beginnings.map(({ field, prefix }) => `"${token(field, prefix)}" *`).join(' AND ');
}
