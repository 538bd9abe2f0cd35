import { route, type ApiRequest, type Route, type StreamedAnswer } from '@waybill/infra/http/route.js';
import { customers, customerView, type CustomerView } from '@waybill/projections/read-models/customers.js';
import { foldOn } from '@waybill/projections/read-models/fold-on.js';
import { listFreshness } from './reading/freshness.js';
import { orders, orderView, type OrderView } from '@waybill/projections/read-models/orders.js';
import { degradedView, type DegradedView } from '@waybill/projections/quarantine/degraded-view.js';
import { readEverythingOf } from '@waybill/projections/replay/order.js';
import { readTimelinePages } from '@waybill/projections/replay/timeline.js';
import { viewPast, type Past } from '@waybill/projections/replay/view-past.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Turn, TurnsOf } from '@waybill/shared-kernel/one-a-turn.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import type { Place, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import { readStreamPages } from '@waybill/shared-kernel/read-stream.js';
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
 * the log, but for which orders there are. It is sent as it is read, page by page, however much it is; a turn of
 * the caller's is waited for before each, and personal data are opened with the keys of that moment. What happened is written before what it came to, so that a stream that turns out not to
 * be whole marks that (`degraded`), and the rest follows.
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

  /** The customer as they stand, by their document and what the log has after it. Throws `NotFound`. */
  async function customerNow(customerId: string): Promise<CustomerView> {
    const before = await readCustomers(undefined, async ({ projection: { collection }, gauge }) => {
      // Measured for its refusal: of what was made from another log nothing is believed.
      await gauge.lags();
      const [document] = await readStore.load(collection, [customerId]);
      return document;
    });
    const { sections, revisions } = await foldOn(customers, customerId, events, before);
    const view = customerView(sections, revisions);
    if (view === undefined) throw new NotFound('customer', customerId);
    return view;
  }

  /** What happened to the customer. Begun before anything is answered: a stream that is gone is told of as such. */
  async function eventsOf(stream: string, turn: Turn): Promise<AsyncIterable<readonly RecordedEvent[]>> {
    await turn();
    const pages = readStreamPages(events, stream, { size: eventsAtOnce, turn });
    const first = await pages.next();
    if (first.done === true) await requireWhole(events, stream);
    return goOn(first, pages);
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

  /** As it stands by the log now, marked where not all that happened could be read. */
  function asOfNow(view: object, degraded: DegradedView | undefined): object {
    const freshness = { projectedAt: timestamp(clock), lagMs: 0 };
    return { ...view, ...(degraded !== undefined && { degraded }), freshness };
  }

  function marked(fault: StreamFault): DegradedView {
    return degradedView({ since: timestamp(clock), ...degradedByFault(fault) });
  }

  /** What the log has of an order; where it has not all any more, its last state, and no events. */
  async function pastOf(document: StoredDocument, turn: Turn): Promise<PastOfOrder> {
    const { key, sections, revisions } = document;
    try {
      const pages = eventsOfOrder(key, turn);
      const first = await pages.next();
      return { ...(await stateOf(document, first.value ?? [], turn)), history: goOn(first, pages) };
    } catch (error) {
      if (!isStreamFault(error)) throw error;
      return { view: orderView(sections, revisions), degraded: marked(error), history: [] };
    }
  }

  async function* eventsOfOrder(
    orderId: string,
    turn: Turn,
  ): AsyncGenerator<readonly RecordedEvent[], void, undefined> {
    for await (const page of readTimelinePages(events, orderId, { size: eventsAtOnce, turn })) yield page.events;
  }

  /** The order as it stands, `first` being the first page of its events. A long one goes on from its document. */
  async function stateOf(document: StoredDocument, first: readonly RecordedEvent[], turn: Turn): Promise<StateOfOrder> {
    const { key } = document;
    if (first.length < eventsAtOnce) return viewPast(orders, orderView, first.toSorted(inOrderOfLog));
    if (document.degraded === undefined) {
      const { sections, revisions, isWhole } = await foldOn(orders, key, events, document);
      if (isWhole) return { view: orderView(sections, revisions) };
    }
    // Where an event cannot be applied or read, only all of them say what it looks like.
    const all = await readEverythingOf(events, key, undefined, { size: eventsAtOnce, turn });
    return viewPast(orders, orderView, all);
  }

  async function* ordersIn(documents: readonly StoredDocument[], ringNow: RingNow, turn: Turn): AsyncGenerator<string> {
    let separator = '';
    for (let from = 0; from < documents.length; from += atATime) {
      const those = documents.slice(from, from + atATime);
      for (const { view, degraded, history } of await Promise.all(those.map((document) => pastOf(document, turn)))) {
        if (view === undefined) continue;
        yield `${separator}{"events":[`;
        const { customerId } = view;
        const sightNow = async (): Promise<EventVisibility> => {
          const ring = await ringNow();
          return { keys: ring, showsPositions: ring.opens(customerId) };
        };
        const fault = yield* elementsIn(shown(history, sightNow));
        const mark = fault === undefined ? degraded : marked(fault);
        yield `],"order":${JSON.stringify(asOfNow(showOrder(view, await ringNow()), mark))}}`;
        separator = ',';
      }
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
    const view = await customerNow(customerId);
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
      const whole = upTo(view.revision, stream, own);
      const fault = yield* elementsIn(shown(whole, async () => ({ keys: await ringNow(), showsPositions: false })));
      const mark = fault && marked(fault);
      yield `],"customer":${JSON.stringify(asOfNow(showCustomer(view, await ringNow()), mark))},"orders":[`;
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

type StateOfOrder = Pick<Past<OrderView>, 'view' | 'degraded'>;

interface PastOfOrder extends StateOfOrder {
  readonly history: Pages<RecordedEvent>;
}

function inOrderOfLog(one: RecordedEvent, other: RecordedEvent): number {
  return one.position - other.position;
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
