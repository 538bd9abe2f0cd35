/**
 * When a courier was at each of the positions reported, newest first. A linked list that shares its tail with the
 * one before, because reports are many and nearly always come in order: both functions look at no more than those
 * that are newer than the one in question.
 */
export type Reports = { readonly at: string; readonly earlier: Reports } | undefined;

/** Whether there is a report of this time. Times are RFC 3339 UTC with milliseconds, so they compare as text. */
export function reported(reports: Reports, at: string): boolean {
  let next = reports;
  while (next !== undefined && next.at > at) next = next.earlier;
  return next?.at === at;
}

export function withReport(reports: Reports, at: string): Reports {
  const newer: string[] = [];
  let rest = reports;
  while (rest !== undefined && rest.at > at) {
    newer.push(rest.at);
    rest = rest.earlier;
  }
  if (rest?.at === at) return reports;
  return newer.reduceRight<Reports>((earlier, time) => ({ at: time, earlier }), { at, earlier: rest });
}
