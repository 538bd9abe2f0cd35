import { route, type ApiRequest, type Route, type StreamedAnswer } from '@waybill/infra/http/route.js';
import { customers, customerView, type CustomerView } from '@waybill/projections/read-models/customers.js';
import { foldOn } from '@waybill/projections/read-models/fold-on.js';
import { listFreshness } from './reading/freshness.js';
import { orders, orderView, type OrderView } from '@waybill/projections/read-models/orders.js';
import { degradedView, type DegradedView } from '@waybill/projections/quarantine/degraded-view.js';
import { readEverythingOf, streamsOf } from '@waybill/projections/replay/order.js';
import { readTimelinePages, timelineStart, type TimelinePlace } from '@waybill/projections/replay/timeline.js';
import { viewPast, type Past } from '@waybill/projections/replay/view-past.js';
import { NotFound, StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Turn, TurnsOf } from '@waybill/shared-kernel/one-a-turn.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import type { Place, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import { readPagesAsFar } from '@waybill/shared-kernel/read-stream.js';
import {
  degradedByFault,
  isStreamFault,
  requireWhole,
  type StreamFault,
} from '@waybill/shared-kernel/stream-faults.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { wishOf, type Wish } from './reading/consistency.js';
import { cursorOf, encodeCursor } from './reading/cursor.js';
import { showCustomer } from './customers.js';
import { readLiveOf } from './reading/live-model.js';
import type { Dependencies } from './reading/model.js';
import { showOrder } from './orders/orders.js';
import { elementsOf, eventsAtOnce, shownEvents, type EventVisibility } from './orders/past-order.js';
import { keyringFor, type Keyring } from './personal-data.js';
import { readQuery } from './reading/query.js';
import { visibilityOfCustomer } from './visibility.js';

/** Orders in one answer at most; who has more is told where to go on. */
export const ordersAtOnce = 200;

/** Orders that are read from the log side by side. */
const atATime = 8;

/** How the cursor of this list calls it. */
const listName = 'customer-data';

type Pages<T> = AsyncIterable<readonly T[]> | Iterable<readonly T[]>;

/**
 * All that is kept of a person, as one file: the customer, and each order as it stands, with every event about them. From
 * the log, but for which orders there are. It is sent as it is read, page by page, however much it is; a turn of the
 * caller's is waited for before each, and personal data are opened with the keys of that moment. What happened is written
 * before what it came to, which is looked at once that is written: so no state is older than its events, and a stream
 * that turns out not to be whole marks it (`degraded`). What else can be read follows.
 */
export function customerDataRoute(dependencies: Dependencies, turnsOf: TurnsOf): Route {
  const { events, readStore, keys, clock } = dependencies;
  const readOrders = readLiveOf(orders, dependencies);
  const readCustomers = readLiveOf(customers, dependencies);

  async function ordersOf(customerId: string, after: Place | undefined, wish: Wish | undefined) {
    return readOrders(wish, async ({ projection: { collection, fields }, gauge }) => {
      const lags = await gauge.lags();
      const place = after === undefined ? {} : { after };
      const found = await readStore.list(collection, { equal: { customerId }, ...place, limit: ordersAtOnce + 1 });
      const documents = found.slice(0, ordersAtOnce);
      const last = found.length > ordersAtOnce ? documents.at(-1) : undefined;
      const next =
        last &&
        encodeCursor(listName, { order: String(fields(last.sections).single[collection.order]), key: last.key });
      return { documents, next, freshness: listFreshness(documents, lags) };
    });
  }

  /** The customer as they stand, by their document and what can be read after it. Throws `NotFound`. */
  async function customerNow(customerId: string): Promise<CustomerView> {
    const before = await readCustomers(undefined, async ({ projection: { collection }, gauge }) => {
      // Measured for its refusal: of what was made from another log nothing is believed.
      await gauge.lags();
      const [document] = await readStore.load(collection, [customerId]);
      return document;
    });
    const { sections, revisions } = await foldOn(customers, customerId, events, before).catch((error: unknown) => {
      if (error instanceof StreamUnreadable && before !== undefined) return before;
      throw error;
    });
    const view = customerView(sections, revisions);
    if (view === undefined) throw new NotFound('customer', customerId);
    return view;
  }

  /** What happened to the customer. Begun before anything is answered: a stream that is gone is told of as such. */
  async function eventsOf(stream: string, turn: Turn): Promise<AsyncIterable<readonly RecordedEvent[]>> {
    await turn();
    const pages = readPagesAsFar(events, stream, { size: eventsAtOnce, turn });
    try {
      const first = await pages.next();
      if (first.done === true) await requireWhole(events, stream);
      return goOn(first, pages);
    } catch (error) {
      if (error instanceof StreamUnreadable) return endingIn(error);
      throw error;
    }
  }

  /** The events up to a revision that is known. Rejects with `StreamCut` where they end before. */
  async function* upTo(
    revision: number,
    stream: string,
    pages: AsyncIterable<readonly RecordedEvent[]>,
  ): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
    let last = noStream;
    for await (const page of pages) {
      yield page;
      last = page.at(-1)!.revision;
    }
    if (last < revision) await requireWhole(events, stream);
  }

  /** As it stood by the log at a time, marked where not all that happened could be read. */
  function asOf(projectedAt: string, view: object, degraded: DegradedView | undefined): object {
    return { ...view, ...(degraded !== undefined && { degraded }), freshness: { projectedAt, lagMs: 0 } };
  }

  function marked(fault: StreamFault): DegradedView {
    return degradedView({ since: timestamp(clock), ...degradedByFault(fault) });
  }

  /** What the log has of an order, begun with a first page, so that several are looked at side by side. */
  async function pastOf(document: StoredDocument, turn: Turn): Promise<PastOfOrder> {
    const { key, sections, revisions } = document;
    const begunAt = timestamp(clock);
    const last: StateOfOrder = { at: begunAt, view: orderView(sections, revisions) };
    const pages = eventsOfOrder(key, turn);
    try {
      const first = await pages.next();
      const page = first.value ?? [];
      const history = goOn(first, pages);
      if (page.length >= eventsAtOnce) return { last, history, now: () => stateOf(document, turn) };
      const now = { at: begunAt, ...viewPast(orders, orderView, page.toSorted(inOrderOfLog)) };
      return { last: now, history, now: async () => now };
    } catch (error) {
      if (!isStreamFault(error)) throw error;
      return { last, history: whatIsLeft(key, timelineStart, error, turn), now: async () => last };
    }
  }

  async function* eventsOfOrder(orderId: string, turn: Turn): AsyncGenerator<readonly RecordedEvent[], void> {
    let place = timelineStart;
    let hasBegun = false;
    try {
      for await (const page of readTimelinePages(events, orderId, { size: eventsAtOnce, turn })) {
        yield page.events;
        hasBegun = true;
        place = page.next ?? place;
      }
    } catch (error) {
      if (!hasBegun || !isStreamFault(error)) throw error;
      yield* whatIsLeft(orderId, place, error, turn);
    }
  }

  /** Of each stream of an order from a place on what can be read, one stream after the other, and then the fault. */
  async function* whatIsLeft(
    orderId: string,
    place: TimelinePlace,
    fault: StreamFault,
    turn: Turn,
  ): AsyncGenerator<readonly RecordedEvent[], void> {
    for (const [index, stream] of streamsOf(orderId).entries()) {
      try {
        yield* readPagesAsFar(events, stream, { from: place[index]!, size: eventsAtOnce, turn });
      } catch (error) {
        if (!isStreamFault(error)) throw error;
      }
    }
    throw fault;
  }

  /** The order as it stands: a long one, which goes on from its document. */
  async function stateOf(document: StoredDocument, turn: Turn): Promise<StateOfOrder> {
    const { key } = document;
    const at = timestamp(clock);
    if (document.degraded === undefined) {
      const { sections, revisions, isWhole } = await foldOn(orders, key, events, document);
      if (isWhole) return { at, view: orderView(sections, revisions) };
    }
    // Where an event cannot be applied or read, only all of them say what it looks like.
    const all = await readEverythingOf(events, key, undefined, { size: eventsAtOnce, turn });
    return { at, ...viewPast(orders, orderView, all) };
  }

  async function* ordersIn(documents: readonly StoredDocument[], ringNow: RingNow, turn: Turn): AsyncGenerator<string> {
    let separator = '';
    for (let from = 0; from < documents.length; from += atATime) {
      const those = documents.slice(from, from + atATime);
      for (const { last, history, now } of await Promise.all(those.map((document) => pastOf(document, turn)))) {
        if (last.view === undefined) continue;
        yield `${separator}{"events":[`;
        const { customerId } = last.view;
        const sightNow = async (): Promise<EventVisibility> => {
          const ring = await ringNow();
          return { keys: ring, showsPositions: ring.opens(customerId) };
        };
        const fault = yield* elementsIn(shown(history, sightNow));
        const { state, mark } = await latest(last, now, fault);
        yield `],"order":${JSON.stringify(asOf(state.at, showOrder(state.view ?? last.view, await ringNow()), mark))}}`;
        separator = ',';
      }
    }
  }

  /** How something stands now, or stood before, marked, if something of its streams is missing since. */
  async function latest<State extends { readonly degraded?: DegradedView | undefined }>(
    before: State,
    now: () => Promise<State>,
    fault: StreamFault | undefined,
  ): Promise<{ readonly state: State; readonly mark: DegradedView | undefined }> {
    try {
      const state = await now();
      return { state, mark: fault === undefined ? state.degraded : marked(fault) };
    } catch (error) {
      if (!isStreamFault(error)) throw error;
      return { state: before, mark: marked(fault ?? error) };
    }
  }

  async function data(request: ApiRequest<'/v1/customers/:customerId/data'>): Promise<StreamedAnswer> {
    const { params, search, headers } = request;
    const { customerId } = params;
    const { cursor } = readQuery(search, { cursor: cursorOf(listName) });
    const wish = wishOf(headers);
    const visibility = visibilityOfCustomer(request, customerId);
    if (visibility === undefined) throw new NotFound('customer', customerId);
    const { documents, next, freshness } = await ordersOf(customerId, cursor, wish);
    const turn = turnsOf(request.caller.sub);
    const stream = streamName('customer', customerId);
    const own = await eventsOf(stream, turn);
    const now = async () => ({ at: timestamp(clock), view: await customerNow(customerId), degraded: undefined });
    const before = await now();
    const findRing = () => keyringFor(visibility, keys, [customerId]);
    /** Whether something personal may be in the piece that was made last. */
    let isOpened = false;
    const ringNow: RingNow = async () => {
      const ring = await findRing();
      isOpened = ring.opens(customerId);
      return ring;
    };
    // Where there are no keys to be had it is told of before anything is sent.
    await ringNow();

    async function* pieces(): AsyncGenerator<string> {
      yield '{"events":[';
      const whole = upTo(before.view.revision, stream, own);
      const fault = yield* elementsIn(shown(whole, async () => ({ keys: await ringNow(), showsPositions: false })));
      const { state, mark } = await latest(before, now, fault);
      yield `],"customer":${JSON.stringify(asOf(state.at, showCustomer(state.view, await ringNow()), mark))},"orders":[`;
      yield* ordersIn(documents, ringNow, turn);
      const more = next === undefined ? '' : `"next":${JSON.stringify(next)},`;
      yield `],${more}"freshness":${JSON.stringify(freshness)}}`;
    }

    return {
      status: 200,
      headers: {
        'Content-Disposition': `attachment; filename="${customerId}.json"`,
        'Cache-Control': 'no-store',
        ...wish?.headers,
      },
      pieces: pieces(),
      mayStillBeSent: async () => !isOpened || (await findRing()).opens(customerId),
    };
  }

  return route('GET', '/v1/customers/:customerId/data', data);
}

/** The keys as they are now: a client may take its time, and the customer's key be destroyed meanwhile. */
type RingNow = () => Promise<Keyring>;

interface StateOfOrder extends Pick<Past<OrderView>, 'view' | 'degraded'> {
  /** When it was looked at, RFC 3339. */
  readonly at: string;
}

interface PastOfOrder {
  /** As it was known before its events are written. */
  readonly last: StateOfOrder;
  readonly history: Pages<RecordedEvent>;
  /** To be asked when they are. */
  readonly now: () => Promise<StateOfOrder>;
}

function inOrderOfLog(one: RecordedEvent, other: RecordedEvent): number {
  return one.position - other.position;
}

async function* endingIn(fault: StreamFault): AsyncGenerator<never, void, undefined> {
  throw fault;
}

/** A sequence of which the first has been taken already, from its beginning. */
async function* goOn<T>(first: IteratorResult<T, void>, rest: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}

/** Each page as its reader may see it by the time it is wanted. */
async function* shown(
  pages: Pages<RecordedEvent>,
  sightNow: () => Promise<EventVisibility>,
): AsyncGenerator<readonly object[], void, undefined> {
  for await (const page of pages) yield shownEvents(page, await sightNow());
}

/** The elements of a JSON array, page by page, as far as they can be read; and why no further. */
async function* elementsIn(pages: Pages<object>): AsyncGenerator<string, StreamFault | undefined, undefined> {
  let separator = '';
  try {
    for await (const page of pages) {
      for (const text of elementsOf(page)) {
        yield separator + text;
        separator = ',';
      }
    }
    return undefined;
  } catch (error) {
    if (!isStreamFault(error)) throw error;
    return error;
  }
}
