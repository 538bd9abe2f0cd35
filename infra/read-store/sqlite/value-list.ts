import { needsEscape } from '../storable.js';

const separator = '\n';

/** A value as it stands in a list: as in JSON, so that it holds no separator, and a beginning of it stays one. */
function escaped(value: string): string {
  return needsEscape.test(value) ? JSON.stringify(value).slice(1, -1) : value;
}

/** Whether a list, or a value in it, is written otherwise than it is. */
export function hasEscapes(text: string): boolean {
  return text.includes('\\');
}

function unescaped(text: string): string {
  return hasEscapes(text) ? (JSON.parse(`"${text}"`) as string) : text;
}

/** A set of strings as one text, in which `instr` finds a `whole` value or the `beginning` of one. */
export function valueList(values: readonly string[]): string {
  if (values.length === 0) return '';
  const distinct = values.length === 1 ? values : [...new Set(values)].sort();
  return separator + distinct.map(escaped).join(separator) + separator;
}

export function valuesOf(list: string): string[] {
  return list === '' ? [] : list.slice(1, -1).split(separator).map(unescaped);
}

export function whole(value: string): string {
  return separator + escaped(value) + separator;
}

export function beginning(value: string): string {
  return separator + escaped(value);
}
