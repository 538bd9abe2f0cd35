/** When a courier was at the positions reported, as far as it is remembered. */
export interface Reports {
  /** How many there are. */
  readonly count: number;
  /** Newest first; RFC 3339 UTC with milliseconds, so they compare as text. */
  readonly times: readonly string[];
  /** There are earlier ones, which the log alone has. */
  readonly areCut: boolean;
}

/** Reports nearly always come in order, and few of them are as late as that. */
export const remembered = 50;

export const noReports: Reports = { count: 0, times: [], areCut: false };

/** The second of a time: no more than one report of each is kept. */
export function secondOf(time: string): string {
  return time.slice(0, 'YYYY-MM-DDTHH:MM:SS'.length);
}

/** Whether there is a report of this second; `undefined`: that is too long ago to be remembered, ask the log. */
export function reported({ times, areCut }: Reports, at: string): boolean | undefined {
  const second = secondOf(at);
  if (times.some((time) => secondOf(time) === second)) return true;
  return areCut && isBeforeAll(times, at) ? undefined : false;
}

export function withReport({ count, times, areCut }: Reports, at: string): Reports {
  if (times.includes(at) || (areCut && isBeforeAll(times, at))) return { count: count + 1, times, areCut };
  const newer = times.findLastIndex((time) => time > at) + 1;
  const all = [...times.slice(0, newer), at, ...times.slice(newer)];
  return { count: count + 1, times: all.slice(0, remembered), areCut: areCut || all.length > remembered };
}

function isBeforeAll(times: readonly string[], at: string): boolean {
  return at < (times.at(-1) ?? at);
}
