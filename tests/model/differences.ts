import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import type { World } from './world.js';

/** What a log holds that the world does not, or otherwise, a sentence each: the streams, and what orders come to. */
export function differencesIn(log: readonly RecordedEvent[], world: World): readonly string[] {
  const found = new Map<string, number>();
  const totals = new Map<string, number | null>();
  const stocks = new Map<string, number | null>();
  for (const recorded of log) {
    found.set(recorded.stream, recorded.revision);
    const event = upcast(recorded);
    if (event.type === 'OrderPlaced') totals.set(event.data.orderId, event.data.total);
    if ('stock' in event.data) stocks.set(event.data.productId, event.data.stock);
  }
  const expected = new Map<string, number>();
  for (const [id, { revision }] of world.products) expected.set(streamName('product', id), revision);
  for (const [id, { revision }] of world.customers) expected.set(streamName('customer', id), revision);
  for (const [id, { revision }] of world.orders) expected.set(streamName('order', id), revision);
  for (const [id, { revision }] of world.deliveries) expected.set(streamName('delivery', deliveryIdOf(id)), revision);

  const ofModel = [...found.keys()].filter((stream) => /^(product|customer|order|delivery)-/.test(stream));
  const streams = new Set([...ofModel, ...expected.keys()]);
  return [
    ...[...streams].flatMap((stream) => differs(`last revision of ${stream}`, found.get(stream), expected.get(stream))),
    ...[...world.orders].flatMap(([id, { total }]) => differs(`total of ${id}`, totals.get(id), total)),
    ...[...world.products].flatMap(([id, { stock }]) => differs(`stock of ${id}`, stocks.get(id), stock)),
  ];
}

function differs(what: string, found: unknown, expected: unknown): readonly string[] {
  return found === expected ? [] : [`${what}: ${String(found)} instead of ${String(expected)}`];
}
