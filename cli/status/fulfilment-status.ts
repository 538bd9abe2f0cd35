import {
  worklist,
  itemOf,
  openStates,
  type WorklistItem,
  type OpenState,
} from '@waybill/command-side/fulfilment/worklist/worklist.js';
import {
  countOverdue,
  figuresByState,
  listOpen,
  type StateFigures,
} from '@waybill/command-side/fulfilment/worklist/worklist-figures.js';
import { epochMs, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Collections, DocumentLists, DocumentGroups } from '@waybill/shared-kernel/ports/read-store.js';
import { counted } from '../text/table.js';

/** How many orders are under way, and what of that is late. */
export interface FulfilmentStatus {
  /** The states that any order is in. */
  readonly states: Readonly<Partial<Record<OpenState, StateFigures & { readonly overdue: number }>>>;
  readonly overdue: number;
  /** The one that is overdue for longest. */
  readonly oldest: (WorklistItem & { readonly orderId: string }) | null;
}

export async function fulfilmentStatus(
  readStore: Collections & DocumentLists & DocumentGroups,
  clock: WallClock,
): Promise<FulfilmentStatus> {
  await readStore.declare(worklist);
  const now = epochMs(clock);
  const figures = await figuresByState(readStore, now);
  const states: Partial<Record<OpenState, StateFigures & { readonly overdue: number }>> = {};
  let overdue = 0;
  for (const state of openStates) {
    const ofState = figures[state];
    if (ofState === undefined) continue;
    const late = await countOverdue(state, readStore, now);
    states[state] = { ...ofState, overdue: late };
    overdue += late;
  }
  const [oldest] = overdue === 0 ? [] : await listOpen(readStore, { overdueAt: now, limit: 1 });
  return { states, overdue, oldest: oldest === undefined ? null : { orderId: oldest.key, ...itemOf(oldest) } };
}

/** Rows of four columns: what, state, how many, how they are. */
export function formatFulfilment({ states, overdue, oldest }: FulfilmentStatus): readonly (readonly string[])[] {
  const rows = openStates.flatMap((state) => {
    const figures = states[state];
    if (figures === undefined) return [];
    const { count, meanSeconds, overdue: late } = figures;
    const mean = `for ${spanText(meanSeconds)} on average`;
    const formatted = late === 0 ? mean : `${mean}; ${counted(late, 'order')} overdue`;
    return [['fulfilment', state, counted(count, 'order'), formatted]];
  });
  if (oldest === null) return rows;
  const { orderId, deadline, dueAt } = oldest;
  return [...rows, ['', '', '', `${counted(overdue, 'order')} overdue, ${orderId} (${deadline}) since ${dueAt}`]];
}

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** A span of time in the largest unit that it fills. */
function spanText(seconds: number): string {
  const [unit, size] = units.find(([, least]) => seconds >= least) ?? ['second', 1];
  return counted(Math.round(seconds / size), unit);
}
