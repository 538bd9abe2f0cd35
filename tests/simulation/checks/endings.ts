import { deadlineOf } from '@waybill/command-side/fulfilment/fulfilment-state.js';
import type { Tally } from '../tally.js';
import type { History } from './history.js';

/** Counts what became of the orders, and what they went through. */
export function countEndings(history: History, tally: Tally): void {
  for (const orderId of history.ids('order')) {
    tally.count('order placed');
    const { progress } = history.fulfilment(orderId).state;
    const deadline = deadlineOf(progress);
    const last = history.of('order', orderId).at(-1);
    if (progress.status === 'completed') tally.count(`order ended with ${last?.type}`);
    else tally.count(`order waits for ${deadline?.name}`);
    if (history.placement(orderId).total === 0) tally.count('order of nothing to pay');
    if (last?.type === 'OrderRejected' || last?.type === 'OrderCancelled') {
      tally.count(`reason: ${last.data.reason.replace(/product [\w-]+/u, 'a product')}`);
    }
    for (const event of history.of('fulfilment', orderId)) {
      if (event.type === 'FulfilmentDeadlineMissed') tally.count(`deadline missed: ${event.data.deadline}`);
      if (event.type === 'FulfilmentPaymentRequested' && event.data.attempt > 1) tally.count('payment asked for again');
      if (event.type === 'FulfilmentCompensationRequested' && progress.status === 'completed') {
        if (history.typesOf('payment', orderId).includes('PaymentRefunded')) tally.count('order paid back by hand');
      }
    }
  }
}
