import type { WeekReport } from './week-process.js';

const mostTold = 50;

/** What is wrong, and what there is to know of the week then. */
export function amissIn({ amiss, happened }: WeekReport, of: string): readonly string[] {
  if (amiss.length === 0) return [];
  return [`WAYBILL_SIMULATION_SEED=${of}`, ...amiss.slice(0, mostTold), formatWeek({ happened })];
}

/** A line for each thing that happened. */
export function formatWeek({ happened }: Pick<WeekReport, 'happened'>): string {
  return Object.entries(happened)
    .map(([what, times]) => `${String(times).padStart(8)}  ${what}\n`)
    .join('');
}
