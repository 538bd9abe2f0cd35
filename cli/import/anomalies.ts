import type { OlistOrder } from './olist-folder.js';

/** Something about an order's history that cannot have happened so; it is imported as it stands, and listed. */
export interface Anomaly {
  readonly orderId: string;
  readonly kind: AnomalyKind;
  readonly detail: string;
}

export type AnomalyKind =
  | 'approved-before-purchase'
  | 'handed-over-before-approval'
  | 'handed-over-before-purchase'
  | 'delivered-before-approval'
  | 'delivered-before-hand-over'
  | 'delivered-without-date'
  | 'delivered-without-hand-over'
  | 'shipped-without-date'
  | 'cancelled-although-delivered'
  | 'unavailable-although-delivered'
  /** The log has an order of this id with another history; nothing more of this one was written. */
  | 'other-history-in-the-log';

function earlier(one: string | null, other: string | null): boolean {
  return one !== null && other !== null && one < other;
}

/** What is odd about a row, in no particular order; most rows give nothing. */
export function anomaliesOf(order: OlistOrder): readonly Anomaly[] {
  const { orderId, status, purchasedAt, approvedAt, handedOverAt, deliveredAt } = order;
  const found: Anomaly[] = [];
  const note = (kind: AnomalyKind, detail: string) => found.push({ orderId, kind, detail });
  if (earlier(approvedAt, purchasedAt)) {
    note('approved-before-purchase', `approved ${approvedAt}, purchased ${purchasedAt}`);
  }
  if (earlier(handedOverAt, approvedAt)) {
    note('handed-over-before-approval', `handed over ${handedOverAt}, approved ${approvedAt}`);
  }
  if (earlier(handedOverAt, purchasedAt)) {
    note('handed-over-before-purchase', `handed over ${handedOverAt}, purchased ${purchasedAt}`);
  }
  if (earlier(deliveredAt, approvedAt)) {
    note('delivered-before-approval', `delivered ${deliveredAt}, approved ${approvedAt}`);
  }
  if (earlier(deliveredAt, handedOverAt)) {
    note('delivered-before-hand-over', `delivered ${deliveredAt}, handed over ${handedOverAt}`);
  }
  if (status === 'delivered' && deliveredAt === null) {
    note('delivered-without-date', 'the row says delivered and has no date of it; it stays as far as its dates go');
  }
  if (deliveredAt !== null && handedOverAt === null) {
    note('delivered-without-hand-over', `delivered ${deliveredAt}, never handed to the carrier`);
  }
  if (status === 'shipped' && handedOverAt === null) {
    note('shipped-without-date', 'the row says shipped and has no date of it; it stays as far as its dates go');
  }
  if (status === 'canceled' && deliveredAt !== null) {
    note('cancelled-although-delivered', `delivered ${deliveredAt}, and the row says cancelled`);
  }
  if (status === 'unavailable' && deliveredAt !== null) {
    note('unavailable-although-delivered', `delivered ${deliveredAt}, and the row says unavailable`);
  }
  return found;
}
