import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { Ledger, type Entry } from '@waybill/infra/payment-gateway/simulator/ledger.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';

/** What the simulated gateway of a data folder has booked. */
export async function bookedIn(dataFolder: string): Promise<readonly Entry[]> {
  const ledger = new Ledger(dataFiles(dataFolder).paymentLedger, systemClock);
  try {
    return ledger.entries();
  } finally {
    await ledger.close();
  }
}

/** Minor units. */
interface Money {
  /** Reserved and not yet taken. */
  readonly held: number;
  /** Taken and not given back. */
  readonly taken: number;
}

/** Orders of which the gateway holds or has taken anything else than what becomes of them asks for. */
export function unbalanced(
  events: readonly RecordedEvent[],
  entries: readonly Entry[],
): readonly { readonly orderId: string; readonly owed: Money; readonly booked: Money }[] {
  const booked = new Map<string, Money>();
  for (const { reference, kind, amount } of entries) {
    const { held, taken } = booked.get(reference) ?? nothing;
    booked.set(reference, {
      held: held + (kind === 'authorisation' ? amount : kind === 'refund' ? 0 : -amount),
      taken: taken + (kind === 'capture' ? amount : kind === 'refund' ? -amount : 0),
    });
  }
  return Array.from(owedBy(events), ([orderId, owed]) => ({
    orderId,
    owed,
    booked: booked.get(orderId) ?? nothing,
  })).filter(({ owed, booked: { held, taken } }) => owed.held !== held || owed.taken !== taken);
}

const nothing: Money = { held: 0, taken: 0 };

/** Of each order that was placed here and decided on. */
function owedBy(events: readonly RecordedEvent[]): ReadonlyMap<string, Money> {
  const totals = new Map<string, number>();
  const owed = new Map<string, Money>();
  for (const event of events) {
    if (event.imported === true) continue;
    const { type, data } = upcast(event);
    const orderId = event.partitionKey;
    const total = totals.get(orderId) ?? 0;
    switch (type) {
      case 'OrderPlaced':
        totals.set(orderId, data.total ?? 0);
        break;
      case 'OrderConfirmed':
        owed.set(orderId, { held: total, taken: 0 });
        break;
      case 'OrderDelivered':
        owed.set(orderId, { held: 0, taken: total });
        break;
      case 'OrderRejected':
      case 'OrderCancelled':
      case 'OrderDeliveryFailed':
        owed.set(orderId, nothing);
        break;
      default:
    }
  }
  return owed;
}

/** Whether nobody waits for an answer of the payment service. */
export function areAllAnswered(events: readonly RecordedEvent[]): boolean {
  const asking = new Set<string>();
  for (const { type, partitionKey } of events) {
    if (type === 'FulfilmentPaymentRequested') asking.add(partitionKey);
    else if (type === 'FulfilmentPaymentSettled') asking.delete(partitionKey);
  }
  return asking.size === 0;
}
