const dateTime = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/i;

/**
 * An RFC 3339 time, in any zone, as UTC with milliseconds, so that times compare as text; finer parts are cut off.
 * `undefined` for what is none, such as a day that the calendar has not or a time without a zone.
 */
export function utcTime(text: string): string | undefined {
  const match = dateTime.exec(text);
  if (match === null || !isDay(Number(match[1]), Number(match[2]), Number(match[3]))) return undefined;
  const milliseconds = Date.parse(text.toUpperCase());
  return Number.isNaN(milliseconds) ? undefined : new Date(milliseconds).toISOString();
}

/** `Date.parse` takes 30 February for a day of March. */
function isDay(year: number, month: number, day: number): boolean {
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
}
