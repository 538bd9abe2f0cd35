import { worklist, openStates, overdue, placeOf, type OpenState } from './worklist.js';
import type { StoredDocument, DocumentGroups, DocumentLists } from '@waybill/shared-kernel/ports/read-store.js';

// What operators ask of the worklist. Read from indexes: it costs as much as is answered, however many orders there were.

/** Fulfilments in a state that are not completed. */
export interface StateFigures {
  readonly count: number;
  /** For how long they have been in it on average, seconds. */
  readonly meanSeconds: number;
}

/** Figures of the states that any fulfilment is in, in the order of the way. `now`: milliseconds since 1970. */
export async function figuresByState(
  readStore: DocumentGroups,
  now: number,
): Promise<Readonly<Partial<Record<OpenState, StateFigures>>>> {
  const [asked] = worklist.groups!;
  const groups = await readStore.groups(worklist, { ...asked!, from: '', to: '~' });
  const figures: Partial<Record<OpenState, StateFigures>> = {};
  for (const state of openStates) {
    const ofState = groups.filter(({ by }) => by === state);
    const count = ofState.reduce((total, group) => total + group.count, 0);
    if (count === 0) continue;
    const since = Number(ofState.reduce((total, group) => total + group.sum, 0n)) / count;
    figures[state] = { count, meanSeconds: Math.max(0, Math.round(now / 1000 - since)) };
  }
  return figures;
}

const pageSize = 500;

/** How many in a state are past their deadline, counted up to `most`. `now`: milliseconds since 1970. */
export async function countOverdue(
  state: OpenState,
  readStore: DocumentLists,
  now: number,
  most = Infinity,
): Promise<number> {
  let count = 0;
  for (let after: ReturnType<typeof placeOf>; count < most;) {
    const limit = Math.min(pageSize, most - count);
    const query = { equal: { state }, ...overdue(now), limit };
    const page = await readStore.list(worklist, { ...query, ...(after !== undefined && { after }) });
    count += page.length;
    if (page.length < limit) return count;
    after = placeOf(page.at(-1)!);
  }
  return count;
}

export interface OpenQuery {
  /** All of them unless said otherwise. */
  readonly states?: readonly OpenState[];
  /** Only those whose deadline was past at this time, milliseconds since 1970. */
  readonly overdueAt?: number;
  readonly limit: number;
}

/** Fulfilments that are not completed, what is due first first; those without a deadline last, by how long they wait. */
export async function listOpen(
  readStore: DocumentLists,
  { states = openStates, overdueAt, limit }: OpenQuery,
): Promise<readonly StoredDocument[]> {
  const range = overdueAt === undefined ? {} : overdue(overdueAt);
  const lists = await Promise.all(
    states.map((state) => readStore.list(worklist, { equal: { state }, ...range, limit })),
  );
  const placed = lists.flat().map((document) => ({ document, place: placeOf(document)?.order ?? '' }));
  placed.sort((one, other) => (one.place < other.place ? 1 : one.place > other.place ? -1 : 0));
  return placed.slice(0, limit).map(({ document }) => document);
}
