const form = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** A time in RFC 3339, read as UTC with milliseconds, so that times compare as text; `undefined` for what is none. */
export function readTime(text: string): string | undefined {
  const day = form.exec(text)?.[1];
  if (day === undefined || !isDay(day)) return undefined;
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : new Date(milliseconds).toISOString();
}

/** Whether the calendar has this day, `YYYY-MM-DD`; `Date` would take 30 February for 2 March. */
function isDay(day: string): boolean {
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}
