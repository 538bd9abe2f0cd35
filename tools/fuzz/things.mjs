import { setTimeout as sleep } from 'node:timers/promises';

/** How often, and how many milliseconds apart, the read API is asked for what follows from an order. */
const patience = { attempts: 100, apart: 100 };

const address = { street: '1 Harbour Road', city: 'Busan', postalCode: '48058' };

/**
 * Makes what a fuzzer should come across: products, a customer, orders and deliveries at several stages, all of them
 * `sub`'s own. Gives for each parameter and field of the two documents values that mean something there.
 */
export async function makeThings({ writeUrl, readUrl }, token, sub) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  let asked = 0;
  const post = async (path, body) => {
    const response = await fetch(`${writeUrl}${path}`, {
      method: 'POST',
      headers: { ...headers, 'idempotency-key': `thing-${(asked += 1)}` },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`POST ${path} was answered ${response.status}: ${await response.text()}`);
    return response.headers.get('consistency-token');
  };
  const get = async (path) => (await fetch(`${readUrl}${path}`, { headers })).json();

  const products = ['counted', 'uncounted', 'changing', 'withdrawn'];
  for (const productId of products) {
    const stock = productId === 'counted' ? { stock: 1_000_000 } : {};
    await post('/v1/products', {
      productId,
      name: `A ${productId} thing`,
      unitPrice: { amount: 100, currency: 'KRW' },
      ...stock,
    });
  }
  await post('/v1/customers', { customerId: sub, name: 'Ada', phone: '010', address });
  const stages = ['open', 'assigned', 'picked-up', 'delivered', 'failed', 'cancelled', 'declined'];
  const tokens = [];
  for (const orderId of stages) {
    const lines = [{ productId: orderId === 'open' ? 'counted' : 'uncounted', quantity: 1 }];
    const payment = { token: orderId === 'declined' ? 'tok_decline' : 'tok_approve' };
    tokens.push(await post('/v1/orders', { orderId, customerId: sub, lines, payment }));
  }
  await post('/v1/products/withdrawn/withdrawal', {});

  const deliveries = {};
  for (const orderId of stages.slice(0, 6)) deliveries[orderId] = await deliveryOf(orderId, get);
  await post('/v1/orders/cancelled/cancellation', { reason: 'Changed my mind' });
  const move = (orderId, step, body = {}) => post(`/v1/deliveries/${deliveries[orderId]}/${step}`, body);
  for (const orderId of stages.slice(1, 5)) await move(orderId, 'assignment', { courierId: sub });
  for (const orderId of stages.slice(2, 5)) await move(orderId, 'pickup');
  await move('delivered', 'completion');
  await move('failed', 'failure', { reason: 'Nobody there', next: 'return' });

  const { next } = await get('/v1/orders?limit=1');
  const deliveryIds = Object.values(deliveries);
  return {
    // What is ordered is not changed, or it would soon be withdrawn.
    'path.productId': ['changing', 'withdrawn'],
    'path.customerId': [sub],
    'path.orderId': stages,
    'path.deliveryId': deliveryIds,
    'query.customerId': [sub],
    'query.merchantId': [sub],
    'query.courierId': [sub],
    'query.q': ['thing', 'uncounted'],
    'query.cursor': [next],
    'header.Consistency-Token': tokens,
    'header.If-None-Match': ['*', 'W/"0"'],
    'header.If-Match': ['*', '"0"', '"1"', '"2"'],
    'body.customerId': [sub],
    'body.orderId': ['o1', 'o2', 'o3', 'o4', 'o5', 'o6'],
    'body.lines[*].quantity': [1, 2, 1000],
    'body.courierId': [sub],
    'body.lines[*].productId': ['counted', 'uncounted', 'counted', 'withdrawn'],
    'body.payment.token': ['tok_approve', 'tok_decline', 'tok_slow', 'tok_fail_once', 'tok_double'],
    'body.at': ['2026-01-31T12:00:00Z', '2026-01-31T12:00:01+09:00'],
  };
}

async function deliveryOf(orderId, get) {
  for (let attempt = 1; attempt <= patience.attempts; attempt += 1) {
    const { delivery } = await get(`/v1/orders/${orderId}`);
    if (delivery !== undefined) return delivery.deliveryId;
    await sleep(patience.apart);
  }
  throw new Error(`Order ${orderId} got no delivery.`);
}
