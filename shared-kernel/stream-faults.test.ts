import { expect, test } from '@jest/globals';
import { DeliveryOwners } from './partitions/delivery-owners.js';
import { StreamCut, StreamUnreadable } from './errors.js';
import type { StreamMark } from './ports/event-store.js';
import { streamsInDoubt } from './stream-faults.js';

const store = {
  cutOf: async (stream: string) => (stream === 'order-o2' ? { firstRevision: 3 } : undefined),
  readStream: async () => [],
};

const nobody = new DeliveryOwners({
  readAll: async (after) => ({ events: [], marks: [], through: after, isEnd: true }),
});

const mark = (stream: string, why: StreamMark['why'], position: number): StreamMark => ({
  stream,
  why,
  position,
  detail: 'so',
  ...(why === 'unreadable' && { revision: 1 }),
});

test('of what the metadata say the last counts, and hides no event that cannot be read', async () => {
  const found = await streamsInDoubt(
    store,
    [
      mark('order-o1', 'unreadable', 1),
      mark('order-o1', 'metadata', 2),
      mark('order-o2', 'metadata', 3),
      mark('order-o2', 'metadata', 4),
      mark('order-o3', 'metadata', 5),
    ],
    nobody,
  );
  expect(found).toEqual([
    { stream: 'order-o1', partitionKey: 'o1', fault: new StreamUnreadable('order-o1', 1, 1, 'so') },
    { stream: 'order-o2', partitionKey: 'o2', fault: new StreamCut('order-o2', 3) },
  ]);
});

test('of a delivery of which nothing is left, nor of its order, nobody knows whose it was', async () => {
  const gone = { ...store, cutOf: async () => ({ firstRevision: undefined }) };
  expect(await streamsInDoubt(gone, [mark('delivery-d1', 'deleted', 1)], nobody)).toEqual([]);
});
