import { signatureForm, signatureHeader } from '@waybill/infra/http/admit.js';
import { largestAmount } from './http/money-body.js';
import { mostLines, mostOfALine } from './ordering/bodies.js';
import {
  answer,
  commonParameters,
  currency,
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
import type { ProblemKindName } from '@waybill/infra/http/problem.js';
import { gatewayStatuses } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { writeAccess } from './access.js';
import { mostAddressChangesADay } from './customers/customer.js';
import { mostPositions } from './delivery/delivery.js';

const text = (maxLength: number): Schema => ({ type: 'string', minLength: 1, maxLength, pattern: '\\S' });
const price: Schema = {
  ...object({
    amount: { type: 'integer', minimum: 0, maximum: largestAmount, description: 'Minor units of the currency.' },
    currency,
  }),
  examples: [{ amount: 18000, currency: 'KRW' }],
};
const orderStatus: Schema = {
  enum: ['placed', 'confirmed', 'rejected', 'cancelled', 'out_for_delivery', 'delivered', 'delivery_failed'],
};
const deliveryStatus: Schema = {
  enum: ['open', 'assigned', 'picked_up', 'delivered', 'failed', 'returned', 'cancelled'],
};

const schemas = {
  ...sharedSchemas,
  Price: price,
  Product: object({ productId: id, revision }),
  Customer: object({ customerId: id, revision }),
  Order: object({ orderId: id, status: orderStatus, revision }),
  Delivery: object({ deliveryId: id, status: deliveryStatus, revision }),
  ListProduct: object(
    {
      productId: id,
      name: text(200),
      unitPrice: reference('Price'),
      stock: { type: 'integer', minimum: 0, maximum: 1_000_000_000, description: 'Pieces; absent: not counted.' },
    },
    ['productId', 'stock'],
  ),
  ChangePrice: object({ unitPrice: reference('Price') }),
  ChangeStock: object({
    change: {
      type: 'integer',
      minimum: -1_000_000_000,
      maximum: 1_000_000_000,
      not: { const: 0 },
      description:
        'Pieces that come (positive) or go. Where stock was not counted, counting begins with this change, from none.',
    },
  }),
  RegisterCustomer: object({ customerId: id, name: text(200), phone: text(40), address: reference('Address') }, [
    'customerId',
  ]),
  ChangeAddress: object({ address: reference('Address') }),
  PlaceOrder: object(
    {
      orderId: id,
      customerId: id,
      lines: {
        type: 'array',
        minItems: 1,
        maxItems: mostLines,
        items: object({ productId: id, quantity: { type: 'integer', minimum: 1, maximum: mostOfALine } }),
      },
      deliveryAddress: { ...reference('Address'), description: "Absent: the customer's own." },
      payment: object({
        token: {
          ...text(200),
          description:
            "What the payment gateway gave in place of a card. The built-in simulator's: `tok_approve`, `tok_decline`, " +
            '`tok_slow`, `tok_fail_once`, `tok_hang` (it never answers), `tok_double` (it answers twice).',
        },
      }),
    },
    ['orderId', 'deliveryAddress'],
  ),
  CancelOrder: object({ reason: text(500) }),
  Assign: object({ courierId: id }),
  Position: object({
    latitude: { type: 'number', minimum: -90, maximum: 90, description: 'WGS 84, degrees.' },
    longitude: { type: 'number', minimum: -180, maximum: 180, description: 'WGS 84, degrees.' },
    at: { ...time, description: 'When the courier was there. RFC 3339, at most a minute ahead of now.' },
  }),
  Complete: object({ proof: text(1000) }, ['proof']),
  Fail: object({
    reason: text(500),
    next: { enum: ['retry', 'return'], description: 'Another attempt by the same courier, or the way back.' },
  }),
  PaymentNotice: object(
    {
      id: { ...text(200), description: 'The same in every delivery of the notice.' },
      type: { ...text(200), description: '`payment.` and the status.' },
      reference: { ...id, description: "The order's id." },
      status: { enum: gatewayStatuses, description: 'How the payment stands.' },
      amount: nullable({ type: 'integer', minimum: 0, description: "The order's total, in minor units." }),
      currency: nullable(currency),
      reason: { ...text(500), description: 'Why it was declined.' },
      at: { ...time, description: 'When it happened; now unless given, RFC 3339.' },
    },
    ['id', 'type', 'amount', 'currency', 'reason', 'at'],
  ),
  Nothing: object({}),
} as const satisfies Record<string, Schema>;

const answerHeaders: Readonly<Record<string, Header>> = {
  ETag: {
    required: true,
    description: 'The revision, for If-Match.',
    schema: { type: 'string', pattern: '^"[0-9]+"$' },
  },
  'Consistency-Token': {
    required: true,
    description: 'Opaque. Sent along with a read, that waits until it shows this write.',
    schema: { type: 'string' },
  },
};
const replayed: Header = {
  description: 'This request was done before; this is what was answered then.',
  schema: { const: 'true' },
};

const ifMatch: Parameter = {
  name: 'If-Match',
  in: 'header',
  description: 'Entity tags of revisions, one of which must be the current one; `*` is any.',
  schema: { type: 'string' },
};
const idempotencyKey: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: true,
  description:
    'A new one for each new command; it is known with the caller, the role in which they act, and the path. The same key ' +
    'and body again, for at least 24 hours, gets the first answer; the same key with another body is refused. What was ' +
    'refused, or changed nothing, is decided anew.',
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[ -~]+$' },
};

interface Command {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly body: keyof typeof schemas;
  /** It can be left out. */
  readonly bodyOptional?: true;
  readonly answer: keyof typeof schemas;
  /** It makes a new aggregate, which has no revision yet: If-Match is refused. */
  readonly creates?: true;
  /** It needs no key. */
  readonly keyless?: true;
  readonly refusals: readonly ProblemKindName[];
}

/** What every command may end in. */
const everyRefusal: readonly ProblemKindName[] = [
  'invalid-input',
  'malformed-json',
  'concurrent-request',
  'body-too-large',
  'unsupported-media-type',
  'event-from-the-future',
  'stream-cut',
  'stream-unreadable',
];
const ofKey: readonly ProblemKindName[] = ['idempotency-key-missing', 'idempotency-key-reused'];

function post(path: string, command: Command): Readonly<Record<string, PathItem>> {
  const { operationId, summary, description, tag, body, creates, keyless, refusals } = command;
  const headers = {
    ...answerHeaders,
    ...(creates === true ? { Location: { required: true, schema: { type: 'string', format: 'uri' } } } : {}),
    'Idempotency-Replayed': replayed,
  };
  const operation: Operation = {
    operationId,
    summary,
    ...whoMay(writeAccess, 'POST', path, description),
    tags: [tag],
    parameters: [
      ...commonParameters,
      ...pathParameters(path),
      ...(keyless === true ? [] : [idempotencyKey]),
      ...(creates === true ? [] : [ifMatch]),
    ],
    requestBody: {
      required: command.bodyOptional !== true,
      content: { 'application/json': { schema: reference(body) } },
    },
    responses: {
      [creates === true ? '201' : '200']: answer(summary, reference(command.answer), headers),
      ...problems(
        ...everyRefusal,
        ...(keyless === true ? [] : ofKey),
        ...(creates === true ? (['id-taken'] as const) : (['revision-mismatch'] as const)),
        ...refusals,
      ),
    },
  };
  return { [path]: { post: operation } };
}

/** What the gateway says of its own accord: no command of a client's, and answered with nothing. */
const webhook: Operation = {
  operationId: 'notePayment',
  summary: 'The payment stands so at the gateway',
  ...whoMay(
    writeAccess,
    'POST',
    '/v1/payments/webhook',
    'For the payment gateway, which signs it and brings neither token nor key. Doubled and late notices change ' +
      'nothing, nor does one of an order that is not there. Its events name the actor `gateway`.',
  ),
  tags: ['Payments'],
  parameters: [...commonParameters],
  requestBody: { required: true, content: { 'application/json': { schema: reference('PaymentNotice') } } },
  responses: {
    204: answer('It is noted.'),
    ...problems(
      'invalid-input',
      'malformed-json',
      'rule-violated',
      'concurrent-request',
      'body-too-large',
      'unsupported-media-type',
      'event-from-the-future',
      'stream-cut',
      'stream-unreadable',
    ),
  },
};

/** How the gateway shows that it is the gateway. */
const signature = {
  type: 'apiKey',
  in: 'header',
  name: signatureHeader,
  description: `HMAC with the secret that the gateway shares: ${signatureForm}.`,
} as const;

const products = { tag: 'Products', answer: 'Product' } as const;
const customers = { tag: 'Customers', answer: 'Customer' } as const;
const orders = { tag: 'Orders', answer: 'Order' } as const;
const deliveries = {
  tag: 'Deliveries',
  answer: 'Delivery',
  refusals: ['not-found', 'rule-violated'],
} as const;

/** The write API, written once: published by it, and what its tests check every request and answer against. */
export const writeApiDocument: OpenApiDocument = {
  openapi: '3.1.0',
  info: {
    title: 'Waybill write API',
    version: '1',
    description:
      'Commands on products, customers, orders and deliveries. A command that was answered 2xx is on disk. ' +
      'What the read API shows follows; a Consistency-Token makes it wait for a write.',
  },
  paths: {
    ...post('/v1/products', {
      ...products,
      operationId: 'listProduct',
      summary: 'A product is in the catalogue',
      description: 'Of the merchant who calls.',
      body: 'ListProduct',
      creates: true,
      refusals: [],
    }),
    ...post('/v1/products/{productId}/price', {
      ...products,
      operationId: 'changeProductPrice',
      summary: 'The price is changed, for orders from now on',
      body: 'ChangePrice',
      refusals: ['not-found', 'rule-violated'],
    }),
    ...post('/v1/products/{productId}/stock', {
      ...products,
      operationId: 'changeProductStock',
      summary: 'The stock is changed',
      body: 'ChangeStock',
      refusals: ['not-found', 'rule-violated'],
    }),
    ...post('/v1/products/{productId}/withdrawal', {
      ...products,
      operationId: 'withdrawProduct',
      summary: 'The product can no longer be ordered',
      body: 'Nothing',
      bodyOptional: true,
      refusals: ['not-found'],
    }),
    ...post('/v1/customers', {
      ...customers,
      operationId: 'registerCustomer',
      summary: 'The customer is registered',
      description: 'Customers register themselves, under the id that is their sub.',
      body: 'RegisterCustomer',
      creates: true,
      refusals: ['rule-violated'],
    }),
    ...post('/v1/customers/{customerId}/address', {
      ...customers,
      operationId: 'changeCustomerAddress',
      summary: 'The address is changed, for orders from now on',
      description: `At most ${mostAddressChangesADay} times a day (UTC).`,
      body: 'ChangeAddress',
      refusals: ['not-found', 'rule-violated', 'limit-reached'],
    }),
    ...post('/v1/customers/{customerId}/erasure', {
      ...customers,
      operationId: 'eraseCustomer',
      summary: 'The customer is erased, for ever',
      description:
        "Destroys the key of the customer's name, phone and addresses: they read as null from then on, in the past " +
        'too. Refused (`rule`: `orders-under-way`) while an order of theirs is. The id cannot be registered again.',
      body: 'Nothing',
      bodyOptional: true,
      refusals: ['not-found', 'rule-violated'],
    }),
    ...post('/v1/orders', {
      ...orders,
      operationId: 'placeOrder',
      summary: 'The order is placed',
      description:
        'Names and prices are those of the catalogue now; each line whose product is not or no longer in it is pointed ' +
        'at. All lines are in one currency. Whether there are pieces enough and the payment is good comes out soon ' +
        'after: the order is confirmed or rejected. Where more is placed than can be carried out soon, new ones are ' +
        'refused for some seconds (`overloaded`), fairly by caller; the same request again is the way to go on.',
      body: 'PlaceOrder',
      creates: true,
      refusals: ['rule-violated', 'overloaded'],
    }),
    ...post('/v1/orders/{orderId}/cancellation', {
      ...orders,
      operationId: 'cancelOrder',
      summary: 'The order is cancelled',
      description:
        'Until it is picked up (`rule`: `order-dispatched`), of which at the same moment one wins; one that is rejected ' +
        'cannot be (`order-rejected`), one that is cancelled stays so. What was reserved for it is released soon after, ' +
        "pieces and money. It is cancelled whole: a merchant's own are those with a line of theirs, whoever has the others.",
      body: 'CancelOrder',
      refusals: ['not-found', 'rule-violated'],
    }),
    ...post('/v1/deliveries/{deliveryId}/assignment', {
      ...deliveries,
      operationId: 'assignDelivery',
      summary: 'The delivery is with the courier',
      description: 'Couriers claim open ones for themselves; the first wins.',
      body: 'Assign',
    }),
    ...post('/v1/deliveries/{deliveryId}/release', {
      ...deliveries,
      operationId: 'releaseDelivery',
      summary: 'The delivery is open again',
      body: 'Nothing',
      bodyOptional: true,
    }),
    ...post('/v1/deliveries/{deliveryId}/pickup', {
      ...deliveries,
      operationId: 'pickUpDelivery',
      summary: 'The courier has the parcel',
      description: 'From here on the order cannot be cancelled; of both at the same moment one wins.',
      body: 'Nothing',
      bodyOptional: true,
    }),
    ...post('/v1/deliveries/{deliveryId}/positions', {
      ...deliveries,
      operationId: 'reportPosition',
      summary: 'The position is known',
      description:
        'A position is known by its delivery and time, so it needs no key: the same time again gets whoever reported it ' +
        'the first answer, whatever else is said. At most one of each second is kept: of those that come later in it nothing ' +
        `is recorded. A delivery has at most ${mostPositions} positions.`,
      body: 'Position',
      keyless: true,
      refusals: [...deliveries.refusals, 'limit-reached'],
    }),
    ...post('/v1/deliveries/{deliveryId}/completion', {
      ...deliveries,
      operationId: 'completeDelivery',
      summary: 'The parcel is delivered',
      body: 'Complete',
      bodyOptional: true,
    }),
    ...post('/v1/deliveries/{deliveryId}/failure', {
      ...deliveries,
      operationId: 'failDelivery',
      summary: 'The attempt failed',
      description:
        'With `retry` the courier keeps the parcel and tries again. With `return` the order is at its end: it is paid back, ' +
        'and its pieces are there for others when the parcel is back.',
      body: 'Fail',
    }),
    ...post('/v1/deliveries/{deliveryId}/return', {
      ...deliveries,
      operationId: 'returnDelivery',
      summary: 'The parcel is back',
      description: 'After a failure whose `next` was `return`. Its pieces are there for others again.',
      body: 'Nothing',
      bodyOptional: true,
    }),
    '/v1/payments/webhook': { post: webhook },
  },
  components: { schemas, securitySchemes: { ...securitySchemes, signature } },
};
