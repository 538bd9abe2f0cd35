import { deadlineOf, type FulfilmentState } from '@waybill/command-side/fulfilment/fulfilment-state.js';
import { itemOf, worklist } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import type { EventType } from '@waybill/shared-kernel/events/catalogue.js';
import type { StoredDocument, DocumentReader } from '@waybill/shared-kernel/ports/read-store.js';
import { mostBetweenLooks } from '../fulfilment-process.js';
import type { History } from './history.js';

/** More of them, one after the other, and nobody answers. */
const mostAttempts = 40;

/** Every order is over, or waits for a deadline that has a name and is still to come; its status and the worklist say the same. */
export async function checkFulfilments(
  history: History,
  positions: DocumentReader,
  now: number,
): Promise<readonly string[]> {
  const amiss: string[] = [];
  const orderIds = history.ids('order');
  const noted = new Map<string, StoredDocument>();
  for (const document of await positions.load(worklist, orderIds)) noted.set(document.key, document);
  for (const orderId of orderIds) {
    const fault = (what: string): void => void amiss.push(`order ${orderId}: ${what}`);
    const { state, revision } = history.fulfilment(orderId);
    const { progress, since } = state;
    const deadline = deadlineOf(progress);
    if (progress.status !== 'completed') {
      if (deadline === undefined) fault(`it is stuck ${progress.status} and waits for no deadline`);
      else if (Date.parse(deadline.dueAt) < now - mostBetweenLooks)
        fault(`${deadline.name} was due at ${deadline.dueAt}, and nobody looked`);
    }
    // Nothing has failed for long by now.
    if ('asked' in progress && (progress.asked?.attempt ?? 0) > mostAttempts) {
      fault(`its payment is asked for in vain, ${progress.asked?.attempt} times by now`);
    }
    const last = history.typesOf('order', orderId).at(-1);
    const expected = lastEventOf(progress);
    if (!expected.some((type) => type === last)) {
      fault(`its fulfilment is ${progress.status}, but its last event is ${last}, not ${expected.join(' or ')}`);
    }
    const document = noted.get(orderId);
    const told = document === undefined ? 'nothing' : JSON.stringify([document.revisions, itemOf(document)]);
    const { name = null, dueAt = null } = deadline ?? {};
    const item = { state: progress.status, deadline: name, dueAt, since };
    const fact = JSON.stringify([{ fulfilment: revision }, item]);
    if (told !== fact) fault(`the worklist has ${told}, its stream says ${fact}`);
  }
  return amiss;
}

/** What the order's own stream ends with while its fulfilment stands like this. */
function lastEventOf(state: FulfilmentState): readonly EventType[] {
  switch (state.status) {
    case 'none':
      return [];
    case 'reserving':
    case 'authorising':
    case 'rejecting':
    case 'confirming':
      return ['OrderPlaced'];
    case 'delivering':
      return [state.isDispatched ? 'OrderDispatched' : 'OrderConfirmed'];
    case 'capturing':
      return ['OrderDelivered'];
    case 'compensating':
    case 'completed':
      switch (state.outcome) {
        case 'delivered':
          return ['OrderDelivered'];
        case 'failed':
          return ['OrderDeliveryFailed'];
        case 'cancelled':
          return ['OrderCancelled', 'OrderRejected'];
        default:
          return state.outcome satisfies never;
      }
    default:
      return state satisfies never;
  }
}
