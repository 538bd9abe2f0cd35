import type { Asker, Visibility } from '@waybill/infra/http/access.js';
import { foldOn } from '@waybill/projections/read-models/fold-on.js';
import { orders, partiesOf, type OrderParties } from '@waybill/projections/read-models/orders.js';
import { NotFound, Unavailable, WaybillError } from '@waybill/shared-kernel/errors.js';
import { isStreamFault, requireWhole } from '@waybill/shared-kernel/stream-faults.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import type { Wish } from '../reading/consistency.js';
import type { Dependencies } from '../reading/model.js';
import { notFoundOrQuarantined, notThere } from '../reading/not-found-or-quarantined.js';
import { partiesInLog } from './parties-in-log.js';
import type { Found, Reading } from '../reading/reading.js';
import { visibilityOfOrder } from '../visibility.js';

/** The document of an order, and what its reader sees of it: each undefined where there is none for them. */
export interface FoundOrder {
  readonly found: Found | undefined;
  readonly visibility: Visibility | undefined;
}

/** An order as the log has it, for somebody who may see it. */
export interface OrderInLog {
  readonly customerId: string;
  readonly visibility: Visibility;
  /** Whether its courier has the parcel, or is to fetch it. */
  readonly isUnderWay: () => Promise<boolean>;
}

/** Finds orders for those who may know of them. */
export interface OrderFinder {
  /** To be asked before a wait. Throws `NotFound` for who may not know of the order. */
  readonly admit: (orderId: string, asker: Asker, wish: Wish | undefined) => Promise<void>;
  readonly find: (orderId: string, asker: Asker, wish: Wish | undefined) => Promise<FoundOrder>;
  /**
   * By what the log has. Whose it is says its first event, and to couriers its document with what came after that: nothing
   * is read at length before. Throws `NotFound` for who may not see it, and `StreamCut` or `StreamUnreadable` to who may.
   */
  readonly inLog: (orderId: string, asker: Asker) => Promise<OrderInLog>;
  /** Whether the caller is shown it by its document; operators and auditors are, whether or not there is one. */
  readonly isShown: (orderId: string, asker: Asker) => Promise<boolean>;
  /** What a reader hears for whom there was nothing to show. */
  readonly refusal: (orderId: string, asker: Asker, found: Found | undefined) => Promise<WaybillError>;
}

export function orderFinder(reading: Pick<Reading, 'find'>, dependencies: Pick<Dependencies, 'events'>): OrderFinder {
  /** Whoever may read an order may be a party that only the log knows yet. */
  async function isVisibleInLog(orderId: string, asker: Asker): Promise<boolean> {
    if (visibilityOfOrder(asker, { merchantIds: [] }) !== undefined) return true;
    return (await lookInLog(orderId, asker)) !== undefined;
  }

  /** `undefined`: it is not for them, or there is none. */
  async function lookInLog(orderId: string, asker: Asker): Promise<OrderInLog | undefined> {
    const { events } = dependencies;
    const own = streamName('order', orderId);
    const first = await events.readStream(own, 0, 1);
    if (first.length === 0) await requireWhole(events, own);
    const placed = partiesInLog(first);
    const { customerId } = placed;
    const asItsCourier = visibilityOfOrder(asker, { ...placed, courierId: asker.caller.sub, isUnderWay: true });
    if (customerId === undefined || asItsCourier === undefined) return undefined;
    const atOnce = visibilityOfOrder(asker, placed);
    const visibility =
      atOnce === asItsCourier ? atOnce : visibilityOfOrder(asker, await partiesNow(orderId, atOnce !== undefined));
    if (visibility === undefined) return undefined;
    return { customerId, visibility, isUnderWay: async () => (await partiesNow(orderId, true)).isUnderWay === true };
  }

  /** Whose it is now: by its document and what came after that. Without a document all is read, for whose it is already. */
  async function partiesNow(orderId: string, isTheirs: boolean): Promise<OrderParties> {
    const found = await reading.find(orderId, undefined).catch((error: unknown) => {
      if (!isTheirs || !(error instanceof WaybillError)) throw error;
      return undefined;
    });
    const { sections } = await foldOn(orders, orderId, dependencies.events, found?.document);
    return partiesOf(sections);
  }

  /** By what the log has; while that is down, or where it has not all any more, what is shown to the caller may be shown again. */
  async function mayKnowOf(orderId: string, asker: Asker): Promise<boolean> {
    try {
      return await isVisibleInLog(orderId, asker);
    } catch (error) {
      if (!(error instanceof Unavailable) && !isStreamFault(error)) throw error;
      if (await isShown(orderId, asker)) return true;
      if (error instanceof Unavailable) throw error;
      return false;
    }
  }

  async function isShown(orderId: string, asker: Asker): Promise<boolean> {
    if (visibilityOfOrder(asker, { merchantIds: [] }) !== undefined) return true;
    const found = await reading.find(orderId, undefined);
    return found !== undefined && visibilityOf(found, asker) !== undefined;
  }

  return {
    isShown,

    async inLog(orderId, asker) {
      const seen = await lookInLog(orderId, asker).catch(async (error: unknown) => {
        // What the log has no more cannot say whose it was.
        if (isStreamFault(error) && !(await isShown(orderId, asker))) return undefined;
        throw error;
      });
      if (seen === undefined) throw new NotFound('order', orderId);
      return seen;
    },

    async admit(orderId, asker, wish) {
      if (wish !== undefined && !(await mayKnowOf(orderId, asker))) throw new NotFound('order', orderId);
    },

    async find(orderId, asker, wish) {
      const found = await reading.find(orderId, wish);
      return { found, visibility: found && visibilityOf(found, asker) };
    },

    async refusal(orderId, asker, found) {
      if (found === undefined) return notThere('order', orderId, asker, dependencies.events);
      const isTheirs = found.document.degraded !== undefined && (await mayKnowOf(orderId, asker));
      return notFoundOrQuarantined('order', orderId, isTheirs ? found : undefined);
    },
  };
}

function visibilityOf({ document }: Found, asker: Asker): Visibility | undefined {
  return visibilityOfOrder(asker, partiesOf(document.sections));
}
