import type { Asker, Sight } from '@waybill/infra/http/access.js';
import { partiesOf } from '@waybill/projections/orders.js';
import { readEverythingOf } from '@waybill/projections/replay/order.js';
import { NotFound, Unavailable, type WaybillError } from '@waybill/shared-kernel/errors.js';
import type { Wish } from './consistency.js';
import type { Means } from './model.js';
import { notShown } from './not-shown.js';
import { partiesInLog } from './past-order.js';
import type { Found, Reading } from './reading.js';
import { sightOfOrder } from './sight.js';

/** The document of an order, and what its reader sees of it: each undefined where there is none for them. */
export interface FoundOrder {
  readonly found: Found | undefined;
  readonly sight: Sight | undefined;
}

/** Finds orders for those who may know of them. */
export interface OrderFinder {
  /** To be asked before a wait. Throws `NotFound` for who may not know of the order. */
  readonly admit: (orderId: string, asker: Asker, wish: Wish | undefined) => Promise<void>;
  readonly find: (orderId: string, asker: Asker, wish: Wish | undefined) => Promise<FoundOrder>;
  /** What a reader hears for whom there was nothing to show. */
  readonly refusal: (orderId: string, asker: Asker, found: Found | undefined) => Promise<WaybillError>;
}

export function orderFinder(reading: Pick<Reading, 'find'>, means: Pick<Means, 'events'>): OrderFinder {
  /** Whoever may read an order may be a party that only the log knows yet. */
  async function isVisibleInLog(orderId: string, asker: Asker): Promise<boolean> {
    if (sightOfOrder(asker, { merchantIds: [] }) !== undefined) return true;
    const parties = partiesInLog(await readEverythingOf(means.events, orderId));
    return sightOfOrder(asker, parties) !== undefined;
  }

  /** By what the log has; while that is down, what is shown to the caller may be shown again. */
  async function mayKnowOf(orderId: string, asker: Asker): Promise<boolean> {
    try {
      return await isVisibleInLog(orderId, asker);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const found = await reading.find(orderId, undefined);
      if (found === undefined || sightOf(found, asker) === undefined) throw error;
      return true;
    }
  }

  return {
    async admit(orderId, asker, wish) {
      if (wish !== undefined && !(await mayKnowOf(orderId, asker))) throw new NotFound('order', orderId);
    },

    async find(orderId, asker, wish) {
      const found = await reading.find(orderId, wish);
      return { found, sight: found && sightOf(found, asker) };
    },

    async refusal(orderId, asker, found) {
      const isTheirs = found?.document.degraded !== undefined && (await isVisibleInLog(orderId, asker));
      return notShown('order', orderId, isTheirs ? found : undefined);
    },
  };
}

function sightOf({ document }: Found, asker: Asker): Sight | undefined {
  return sightOfOrder(asker, partiesOf(document.sections));
}
