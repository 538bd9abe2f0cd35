import type { GatewayOfTests } from '@waybill/command-side/payments/testing/gateway.js';
import type { History } from './history.js';

/** What the gateway kept of each order is what the order says, and nothing of a finished one is left reserved. */
export function checkMoney(history: History, gateway: GatewayOfTests): readonly string[] {
  const kept = new Map<string, number>();
  for (const { reference, kind, amount } of gateway.ledger) {
    const sign = { capture: 1, refund: -1, authorisation: 0, void: 0 }[kind];
    kept.set(reference, (kept.get(reference) ?? 0) + sign * amount);
  }
  return history.ids('order').flatMap((orderId) => {
    const amiss: string[] = [];
    const fault = (what: string): void => void amiss.push(`order ${orderId}: ${what}`);
    const has = kept.get(orderId) ?? 0;
    const due = dueOf(history, orderId);
    if (has !== due) fault(`the gateway kept ${has}, and ${due} is due`);
    const { progress } = history.fulfilment(orderId).state;
    const standing = gateway.standing(orderId)?.status;
    if (progress.status !== 'completed') return amiss;
    if (standing === 'authorised' || standing === 'pending') fault(`it is over, and its payment still ${standing}`);
    const told = history.typesOf('payment', orderId).at(-1);
    const fact = standing === undefined ? undefined : `Payment${standing[0]!.toUpperCase()}${standing.slice(1)}`;
    if (told !== fact) fault(`the gateway says ${fact}, and the payment's stream ends with ${told}`);
    return amiss;
  });
}

/** Minor units: the total of what was delivered, unless somebody had it paid back. */
function dueOf(history: History, orderId: string): number {
  if (!history.typesOf('order', orderId).includes('OrderDelivered')) return 0;
  return isPaidBack(history, orderId) ? 0 : (history.placement(orderId).total ?? 0);
}

/** Before it is at the door an operator can ask for that in vain. */
function isPaidBack(history: History, orderId: string): boolean {
  const events = history.of('fulfilment', orderId);
  const asked = events.findLastIndex(({ type }) => type === 'FulfilmentCompensationRequested');
  const captured = events.findIndex(
    (event) => event.type === 'FulfilmentPaymentRequested' && event.data.step === 'capture',
  );
  return captured !== -1 && asked > captured;
}
