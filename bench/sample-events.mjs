import { randomUUID } from 'node:crypto';

/** An OrderPlaced as the write API records it, about 900 bytes of JSON. */
export function orderPlaced(
  orderId,
  { customerId = 'customer-1', occurredAt = '2026-01-05T10:00:00.000Z', deliveryAddress } = {},
) {
  const requestId = randomUUID();
  return {
    id: randomUUID(),
    type: 'OrderPlaced',
    schemaVersion: 1,
    occurredAt,
    correlationId: requestId,
    causationId: requestId,
    actor: { sub: customerId, role: 'customer' },
    partitionKey: orderId,
    request: { id: requestId, hash: 'mZ0lqWQ2R9m0yq1y3F0mZ0lqWQ2R9m0yq1y3F0abcde', subject: customerId },
    data: {
      orderId,
      customerId,
      lines: [{ productId: 'tea', merchantId: 'shop', name: 'Tea', quantity: 2, unitPrice: 900, freight: null }],
      currency: 'EUR',
      total: 1800,
      deliveryAddress: deliveryAddress ?? `sealed.1.${customerId}.${'A'.repeat(120)}`,
      paymentToken: 'tok_approve',
      promisedBy: null,
    },
  };
}
