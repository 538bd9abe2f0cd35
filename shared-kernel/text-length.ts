/** Whether a text has more than so many characters: Unicode code points, as JSON Schema's `maxLength` counts them. */
export function isLongerThan(text: string, characters: number): boolean {
  if (text.length <= characters) return false;
  if (text.length > 2 * characters) return true;
  let counted = 0;
  for (const _character of text) counted += 1;
  return counted > characters;
}
