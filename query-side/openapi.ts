import {
  answer,
  commonParameters,
  id,
  nullable,
  object,
  pathParameters,
  problems,
  reference,
  revision,
  securitySchemes,
  sharedSchemas,
  time,
  whoMay,
  type Header,
  type OpenApiDocument,
  type Operation,
  type Parameter,
  type PathItem,
  type Schema,
} from '@waybill/infra/http/pages/openapi.js';
import { mostDownloads } from '@waybill/infra/http/open-downloads.js';
import type { ProblemKindName } from '@waybill/infra/http/problem.js';
import { readAccess } from './access.js';
import { ordersAtOnce } from './customer-data.js';
import { deliveryStatuses } from './deliveries.js';
import { recent } from './tracking/estimated-arrival.js';
import { orderStatuses } from './orders/orders.js';
import { defaultLimit, longestList, longestTimeline } from './reading/query.js';

const text: Schema = { type: 'string' };
const money = reference('Money');
const freshness = reference('Freshness');
const address: Schema = {
  ...nullable(reference('Address')),
  description: 'Null for callers who may not see it, after erasure, and where imported history does not know it.',
};
const degraded: Schema = {
  ...object({ since: time, reason: text }),
  description:
    'An event of it cannot be applied: it is as it was before that event, until an operator has repaired and released it.',
};
const failure = object({ reason: text, at: time, next: { enum: ['retry', 'return'] } });
const whereabouts = {
  latitude: { type: 'number', minimum: -90, maximum: 90, description: 'WGS 84, degrees.' },
  longitude: { type: 'number', minimum: -180, maximum: 180, description: 'WGS 84, degrees.' },
  at: time,
} as const;
const position: Schema = {
  ...object(whereabouts),
  description:
    'Where the courier who has it was last. Absent once it is off their hands, for callers who may not see its address ' +
    'and after erasure.',
};

const order = object(
  {
    orderId: id,
    customerId: id,
    status: { enum: orderStatuses },
    lines: {
      type: 'array',
      items: object(
        {
          productId: id,
          name: { type: ['string', 'null'], description: 'Null in imported history.' },
          quantity: { type: 'integer', minimum: 1 },
          unitPrice: money,
          freight: money,
        },
        ['freight'],
      ),
    },
    total: { ...nullable(money), description: 'Null where imported history does not know the lines.' },
    placedAt: time,
    promisedBy: time,
    confirmedAt: time,
    rejection: object({ reason: text, at: time, timeEstimated: { const: true } }, ['timeEstimated']),
    cancellation: object({ reason: text, by: text, at: time, timeEstimated: { const: true } }, ['timeEstimated']),
    payment: object({
      status: {
        enum: ['none', 'pending', 'authorised', 'declined', 'captured', 'voided', 'refunded'],
        description:
          '`pending` while the order waits for it. `none` where there is nothing to pay, in history that was brought ' +
          'in without it, and where the order came to an end before anything was authorised.',
      },
    }),
    delivery: object(
      {
        deliveryId: id,
        status: { enum: deliveryStatuses },
        courierId: id,
        pickedUpAt: time,
        deliveredAt: time,
        failure,
      },
      ['courierId', 'pickedUpAt', 'deliveredAt', 'failure'],
    ),
    deliveryAddress: address,
    revision: { ...revision, description: "Of the order's own stream: what If-Match of the write API takes." },
    imported: { const: true, description: 'It is history that was brought in; nothing acts on it.' },
    degraded,
    freshness,
  },
  ['promisedBy', 'confirmedAt', 'rejection', 'cancellation', 'delivery', 'imported', 'degraded'],
);

const delivery = object(
  {
    deliveryId: id,
    orderId: id,
    customerId: id,
    status: { enum: deliveryStatuses },
    courierId: id,
    address,
    position,
    promisedBy: time,
    scheduledAt: time,
    pickedUpAt: time,
    deliveredAt: time,
    failure,
    revision,
    degraded,
    freshness,
  },
  [
    'customerId',
    'courierId',
    'position',
    'promisedBy',
    'scheduledAt',
    'pickedUpAt',
    'deliveredAt',
    'failure',
    'degraded',
  ],
);

const tracking: Schema = {
  ...object(
    {
      orderId: id,
      status: { enum: orderStatuses },
      courierId: { ...id, description: 'Who brings it, or brought it.' },
      position: {
        ...object({
          ...whereabouts,
          ageSeconds: { type: 'integer', minimum: 0, description: 'Whole seconds since then.' },
        }),
        description: 'Where the courier was last, while they have the parcel or are to fetch it.',
      },
      estimatedArrival: {
        ...time,
        description:
          'Once it was picked up: after as long as it took from pick-up to door of late, the median of those of the ' +
          `newest ${recent} deliveries that succeeded at the first attempt. Before that, after an attempt that ` +
          'failed, and when it takes longer: by when it was promised. Absent where neither is known or to come.',
      },
      degraded,
      freshness,
    },
    ['courierId', 'position', 'estimatedArrival', 'degraded'],
  ),
  examples: [
    {
      orderId: 'o1',
      status: 'out_for_delivery',
      courierId: 'cleo',
      position: { latitude: 37.5006, longitude: 127.0364, at: '2026-01-31T12:00:00.000Z', ageSeconds: 12 },
      estimatedArrival: '2026-01-31T12:25:00.000Z',
      freshness: { projectedAt: '2026-01-31T12:00:00.250Z', lagMs: 0 },
    },
  ],
};

const product = object(
  {
    productId: id,
    merchantId: id,
    name: text,
    unitPrice: money,
    stock: { type: 'integer', minimum: 0, description: 'Pieces; absent where they are not counted.' },
    withdrawn: { type: 'boolean' },
    revision,
    degraded,
    freshness,
  },
  ['stock', 'degraded'],
);

const personal: Schema = { type: ['string', 'null'], description: 'Null for auditors and after erasure.' };
const customer = object(
  {
    customerId: id,
    name: personal,
    phone: personal,
    address,
    erased: { type: 'boolean' },
    revision,
    degraded,
    freshness,
  },
  ['degraded'],
);

const timelineEvent = object(
  {
    stream: text,
    revision,
    position: { type: 'string', description: 'Opaque.' },
    type: text,
    schemaVersion: { type: 'integer', minimum: 1 },
    occurredAt: { ...time, description: 'When it happened.' },
    recordedAt: { ...time, description: 'When the log took it.' },
    actor: object({ sub: text, role: text }),
    correlationId: text,
    causationId: text,
    data: {
      type: 'object',
      description: 'Depends on type and schemaVersion. Personal data is null for callers who may not see it.',
    },
  },
  ['actor'],
);

const eventList: Schema = { type: 'array', items: reference('TimelineEvent') };
const customerData = object(
  {
    customer: reference('Customer'),
    events: { ...eventList, description: 'What happened to the customer: every name and address there was.' },
    orders: {
      type: 'array',
      maxItems: ordersAtOnce,
      items: object({ order: reference('Order'), events: eventList }),
    },
    next: { type: 'string', description: 'Cursor of the orders that follow; absent where there are none.' },
    freshness: { ...freshness, description: 'Of which orders there are.' },
  },
  ['next'],
);

const count: Schema = { type: 'integer', minimum: 0 };
const report = object({
  days: {
    type: 'array',
    items: object({
      day: { type: 'string', format: 'date' },
      currency: text,
      placed: count,
      cancelled: count,
      rejected: count,
      delivered: count,
      revenue: {
        ...object({ amount: { type: 'integer' }, currency: text }),
        description: 'Totals of the orders that were delivered on the day: exact, and perhaps above 2^53.',
      },
    }),
  },
  freshness,
});

const list = (items: string): Schema =>
  object(
    {
      items: { type: 'array', items: reference(items), maxItems: longestList },
      next: {
        type: 'string',
        description: 'Cursor of the next page; absent on the last. A page may be short, or empty, and have one.',
      },
      freshness,
    },
    ['next'],
  );

const query = (name: string, schema: Schema, description: string): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});

const limit = query('limit', { type: 'integer', minimum: 1, maximum: longestList, default: defaultLimit }, 'Items.');
const cursor = query('cursor', text, 'The `next` of the page before, unchanged, with the same filters.');
const search = (what: string) =>
  query(
    'q',
    { type: 'string', minLength: 1, maxLength: 100, pattern: '\\S' },
    `Words; each begins a word or an id of ${what}.`,
  );

const waiting: readonly Parameter[] = [
  {
    name: 'Consistency-Token',
    in: 'header',
    description:
      "Of a command's answer: the read waits until that write is visible. It does not wait for a document that is " +
      'degraded: that comes at once, and `degraded` says that the write is not in it.',
    schema: text,
  },
  {
    name: 'Prefer',
    in: 'header',
    description: '`wait=<seconds>`: how long it waits, 2 by default, 10 at most.',
    schema: text,
  },
];

const applied: Readonly<Record<string, Header>> = {
  'Preference-Applied': { description: 'Where a token and a wait were given.', schema: text },
};

interface Reading {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly path: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Operation['responses'];
  readonly refusals?: readonly ProblemKindName[];
}

function get({ path, tag, description = '', parameters = [], responses, refusals = [], ...rest }: Reading): PathItem {
  return {
    get: {
      ...rest,
      ...whoMay(readAccess, 'GET', path, description),
      tags: [tag],
      parameters: [...pathParameters(path), ...parameters, ...waiting, ...commonParameters],
      responses: {
        ...responses,
        ...problems('invalid-input', ...refusals, 'read-model-behind'),
      },
    },
  };
}

/** What may keep a single thing, or its past, from being shown. */
const faultsOfStreams = ['stream-cut', 'stream-unreadable'] as const;

const readings: readonly Reading[] = [
  {
    path: '/v1/orders',
    operationId: 'listOrders',
    summary: 'Orders, newest first',
    description: 'Customers and merchants get their own, and are refused those of others.',
    tag: 'Orders',
    parameters: [
      query('customerId', id, 'Of this customer.'),
      query('merchantId', id, 'With a line of this merchant.'),
      query('status', { enum: orderStatuses }, 'In this status.'),
      query('placedFrom', time, 'Placed at this time or later.'),
      query('placedTo', time, 'Placed at this time or earlier.'),
      search('an order, its delivery or its products'),
      limit,
      cursor,
    ],
    responses: { 200: answer('A page', reference('OrderList'), applied) },
  },
  {
    path: '/v1/orders/{orderId}',
    operationId: 'readOrder',
    summary: 'An order, now or as it stood',
    description: 'With `asOf` or `knownAt` it is folded from the log.',
    tag: 'Orders',
    parameters: [
      query(
        'asOf',
        time,
        'As it stood then, by what had happened up to and including that time; a time that is not past means now.',
      ),
      query('knownAt', time, 'By what had been recorded up to and including that time.'),
      { name: 'If-None-Match', in: 'header', description: 'Entity tags that the caller has.', schema: text },
    ],
    responses: {
      200: answer('The order', reference('Order'), {
        ...applied,
        ETag: {
          description: 'Weak, over all its revisions; absent in the past.',
          schema: { type: 'string', pattern: '^W/"' },
        },
      }),
      304: answer('It is as the caller has it', undefined, { ETag: { required: true, schema: text } }),
    },
    refusals: ['not-found', 'quarantined', ...faultsOfStreams],
  },
  {
    path: '/v1/orders/{orderId}/timeline',
    operationId: 'readTimeline',
    summary: 'Everything that happened to an order, its payment, fulfilment and delivery',
    description:
      'In the order in which it happened, page by page. Read from the log: every write is in it at once, and what happens ' +
      'while somebody pages is on a later page.',
    tag: 'Orders',
    parameters: [
      query(
        'limit',
        { type: 'integer', minimum: 1, maximum: longestTimeline, default: longestTimeline },
        'Events of a page.',
      ),
      query('cursor', text, 'The `next` of the page before, unchanged.'),
    ],
    responses: { 200: answer('The events', reference('Timeline'), applied) },
    refusals: ['not-found', ...faultsOfStreams],
  },
  {
    path: '/v1/orders/{orderId}/tracking',
    operationId: 'trackOrder',
    summary: 'Where an order is',
    description: 'Nothing personal is in it. It changes with time: it has no entity tag and is not to be stored.',
    tag: 'Orders',
    responses: {
      200: answer('Courier, position and estimated arrival, as far as they are known', reference('Tracking'), {
        ...applied,
        'Cache-Control': { required: true, schema: { const: 'no-store' } },
      }),
    },
    refusals: ['not-found', 'quarantined', ...faultsOfStreams],
  },
  {
    path: '/v1/deliveries',
    operationId: 'listDeliveries',
    summary: 'Deliveries, newest first',
    description: 'Couriers get their own, or with `status=open` all that wait for a courier.',
    tag: 'Deliveries',
    parameters: [
      query('courierId', id, 'Of this courier.'),
      query('status', { enum: deliveryStatuses }, 'In this status.'),
      limit,
      cursor,
    ],
    responses: { 200: answer('A page', reference('DeliveryList'), applied) },
  },
  {
    path: '/v1/deliveries/{deliveryId}',
    operationId: 'readDelivery',
    summary: 'A delivery',
    description: 'Its address is for operators, and for its courier until it is off their hands.',
    tag: 'Deliveries',
    responses: { 200: answer('The delivery', reference('Delivery'), applied) },
    refusals: ['not-found', 'quarantined', ...faultsOfStreams],
  },
  {
    path: '/v1/products',
    operationId: 'listProducts',
    summary: 'The catalogue, newest first',
    tag: 'Products',
    parameters: [query('merchantId', id, 'Of this merchant.'), search('a product'), limit, cursor],
    responses: { 200: answer('A page', reference('ProductList'), applied) },
  },
  {
    path: '/v1/products/{productId}',
    operationId: 'readProduct',
    summary: 'A product',
    tag: 'Products',
    responses: { 200: answer('The product', reference('Product'), applied) },
    refusals: ['not-found', 'quarantined', ...faultsOfStreams],
  },
  {
    path: '/v1/customers/{customerId}',
    operationId: 'readCustomer',
    summary: 'A customer',
    tag: 'Customers',
    responses: { 200: answer('The customer', reference('Customer'), applied) },
    refusals: ['not-found', 'quarantined', ...faultsOfStreams],
  },
  {
    path: '/v1/customers/{customerId}/data',
    operationId: 'downloadCustomerData',
    summary: 'All that is kept of a person, as a file',
    description:
      `The customer, and each order, newest first, with every event about them. At most ${ordersAtOnce} orders come at ` +
      'once; `next` leads to more. Read from the log, but for which orders there are. What of it can no longer be read is ' +
      `left out, and whose it is is marked (\`degraded\`). A caller may have ${mostDownloads} under way at once.`,
    tag: 'Customers',
    parameters: [cursor],
    responses: {
      200: answer('The data', reference('CustomerData'), {
        ...applied,
        'Content-Disposition': { required: true, schema: { type: 'string', pattern: '^attachment; filename=' } },
        'Cache-Control': { required: true, schema: { const: 'no-store' } },
      }),
    },
    refusals: ['not-found', 'limit-reached', ...faultsOfStreams],
  },
  {
    path: '/v1/reports/daily',
    operationId: 'readDailyReport',
    summary: 'What became of orders, by day (UTC) and currency',
    description:
      'Days on which nothing happened are left out. Of a merchant: the orders with lines of theirs, and what these lines ' +
      'come to. Without `merchantId` a merchant is shown their own.',
    tag: 'Reports',
    parameters: [
      query('from', { type: 'string', format: 'date' }, 'First day; 30 days up to `to` when absent.'),
      query('to', { type: 'string', format: 'date' }, 'Last day; today when absent.'),
      query('merchantId', id, 'Whose orders are counted; those of all when absent.'),
    ],
    responses: { 200: answer('The report', reference('Report'), applied) },
  },
];

export const readApiDocument: OpenApiDocument = {
  openapi: '3.1.0',
  info: {
    title: 'Waybill read API',
    version: '1',
    description:
      'Orders, deliveries, products, customers and reports, derived from the log of what happened. ' +
      'Every answer says how fresh it is, and waits for a write of yours when you send its Consistency-Token.',
  },
  paths: Object.fromEntries(readings.map((reading) => [reading.path, get(reading)])),
  components: {
    securitySchemes,
    schemas: {
      ...sharedSchemas,
      Freshness: object({
        projectedAt: {
          ...nullable(time),
          description: 'When it was projected; of a list the latest of its items, null where it has none.',
        },
        lagMs: {
          type: 'integer',
          minimum: 0,
          description:
            'Milliseconds since the oldest event was recorded that is not projected yet; 0: there is none. While the event store is down: since when there may be one.',
        },
      }),
      Order: order,
      OrderList: list('Order'),
      Timeline: object(
        {
          orderId: id,
          events: { ...eventList, maxItems: longestTimeline },
          next: { type: 'string', description: 'Cursor of the next page; absent on the last.' },
        },
        ['next'],
      ),
      TimelineEvent: timelineEvent,
      Tracking: tracking,
      Delivery: delivery,
      DeliveryList: list('Delivery'),
      Product: product,
      ProductList: list('Product'),
      Customer: customer,
      CustomerData: customerData,
      Report: report,
    },
  },
};
