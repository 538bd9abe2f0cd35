import type { Access, AccessTable, Grant } from '@waybill/infra/http/access.js';

const own: Grant = { own: 'personal' };
const ownWithoutPeople: Grant = { own: 'redacted' };
const any: Grant = { any: 'personal' };
const anyWithoutPeople: Grant = { any: 'redacted' };

/**
 * The customer sees it whole, so does the courier until it is off their hands (`visibility.ts`); a merchant of its
 * lines need not know where to.
 */
const order: Access = {
  customer: own,
  courier: own,
  merchant: ownWithoutPeople,
  operator: any,
  auditor: anyWithoutPeople,
  others: 404,
};

/** The courier needs the address, until it is off their hands; others who look for a parcel, or for work, do not. */
const courier: Grant = { own: 'personal', open: 'redacted' };

/** The catalogue is for everybody who has a token. */
const everybody: Access = { customer: any, courier: any, merchant: any, operator: any, auditor: any, others: 404 };

/**
 * Who may read what at the read API, and how much of it: operators everything, auditors everything but people. What is
 * not theirs is as if it were not there; a list of somebody else's is refused.
 */
export const readAccess = {
  'GET /v1/orders': {
    customer: own,
    merchant: ownWithoutPeople,
    operator: any,
    auditor: anyWithoutPeople,
    others: 403,
  },
  'GET /v1/orders/:orderId': order,
  'GET /v1/orders/:orderId/timeline': order,
  'GET /v1/orders/:orderId/tracking': order,

  'GET /v1/deliveries': { courier, operator: any, auditor: anyWithoutPeople, others: 403 },
  'GET /v1/deliveries/:deliveryId': {
    customer: ownWithoutPeople,
    courier,
    operator: any,
    auditor: anyWithoutPeople,
    others: 404,
  },

  'GET /v1/products': everybody,
  'GET /v1/products/:productId': everybody,

  'GET /v1/customers/:customerId': { customer: own, operator: any, auditor: anyWithoutPeople, others: 404 },
  'GET /v1/customers/:customerId/data': { customer: own, operator: any, others: 404 },

  'GET /v1/reports/daily': { merchant: ownWithoutPeople, operator: any, auditor: any, others: 403 },
} as const satisfies AccessTable;
