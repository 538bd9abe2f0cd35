import type { AccessTable, Grant } from '@waybill/infra/http/access.js';

/** What is theirs: which customer, merchant or courier it says. */
const own: Grant = { own: 'personal' };
const any: Grant = { any: 'personal' };
/** What couriers have, or nobody has; the delivery's status says what can be done with it. */
const ownOrOpen: Grant = { own: 'personal', open: 'personal' };

/**
 * Who may do what at the write API. Everybody may know of products, and every courier of deliveries; who is a customer,
 * and what they ordered, is nobody else's business.
 */
export const writeAccess = {
  'POST /v1/products': { merchant: own, others: 403 },
  'POST /v1/products/:productId/price': { merchant: own, others: 403 },
  'POST /v1/products/:productId/stock': { merchant: own, others: 403 },
  'POST /v1/products/:productId/withdrawal': { merchant: own, others: 403 },

  'POST /v1/customers': { customer: own, operator: any, others: 403 },
  'POST /v1/customers/:customerId/address': { customer: own, operator: any, others: 404 },
  'POST /v1/customers/:customerId/erasure': { customer: own, operator: any, others: 404 },

  'POST /v1/orders': { customer: own, operator: any, others: 403 },
  'POST /v1/orders/:orderId/cancellation': { customer: own, merchant: own, operator: any, others: 404 },

  'POST /v1/deliveries/:deliveryId/assignment': { courier: own, operator: any, others: 403 },
  'POST /v1/deliveries/:deliveryId/release': { courier: ownOrOpen, operator: any, others: 403 },
  'POST /v1/deliveries/:deliveryId/pickup': { courier: ownOrOpen, operator: any, others: 403 },
  'POST /v1/deliveries/:deliveryId/positions': { courier: ownOrOpen, operator: any, others: 403 },
  'POST /v1/deliveries/:deliveryId/completion': { courier: ownOrOpen, operator: any, others: 403 },
  'POST /v1/deliveries/:deliveryId/failure': { courier: ownOrOpen, operator: any, others: 403 },
  'POST /v1/deliveries/:deliveryId/return': { courier: ownOrOpen, operator: any, others: 403 },

  'POST /v1/payments/webhook': 'signed',
} as const satisfies AccessTable;
