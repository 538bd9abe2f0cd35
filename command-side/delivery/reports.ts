/** When a courier was at the positions reported, as far as it is remembered. */
export interface Reports {
  /** Newest first; RFC 3339 UTC with milliseconds, so they compare as text. */
  readonly times: readonly string[];
  /** There are earlier ones, which the log alone has. */
  readonly areCut: boolean;
}

/** Reports nearly always come in order, and few of them are as late as that. */
export const remembered = 50;

export const noReports: Reports = { times: [], areCut: false };

/** Whether there is a report of this time; `undefined`: that is too long ago to be remembered, ask the log. */
export function reported({ times, areCut }: Reports, at: string): boolean | undefined {
  if (times.includes(at)) return true;
  return areCut && isBeforeAll(times, at) ? undefined : false;
}

export function withReport(reports: Reports, at: string): Reports {
  const { times, areCut } = reports;
  if (times.includes(at) || (areCut && isBeforeAll(times, at))) return reports;
  const newer = times.findLastIndex((time) => time > at) + 1;
  const all = [...times.slice(0, newer), at, ...times.slice(newer)];
  return { times: all.slice(0, remembered), areCut: areCut || all.length > remembered };
}

function isBeforeAll(times: readonly string[], at: string): boolean {
  return at < (times.at(-1) ?? at);
}
