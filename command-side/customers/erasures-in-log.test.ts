import { beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { appendUnreadable } from '@waybill/infra/event-store/testing/append-unreadable.js';
import type { StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import { carryOutErasures } from './erasures-in-log.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import type { EventMark } from '@waybill/shared-kernel/ports/keys.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';

/** The note of the erasures that are carried out, as a key store keeps it. */
class Noted {
  mark: EventMark | undefined;

  erasedUpTo = async (): Promise<EventMark | undefined> => this.mark;

  noteErasedUpTo = async ({ id, stream, revision, position }: EventMark): Promise<void> => {
    this.mark = { id, stream, revision, position };
  };
}

function erased(customerId: string): NewEvent {
  return { ...newEvent(), type: 'CustomerErased', data: { customerId }, partitionKey: customerId };
}

async function logOf(...events: readonly (readonly [stream: string, event: NewEvent])[]): Promise<MemoryEventStore> {
  const log = new MemoryEventStore(virtualClock(0));
  for (const [stream, event] of events) await log.append(stream, noStream, [event]);
  return log;
}

let keys: Noted;
beforeEach(() => {
  keys = new Noted();
});

/** Who is erased by going through a log. */
async function carriedOut(log: MemoryEventStore): Promise<readonly string[]> {
  const customerIds: string[] = [];
  await carryOutErasures(log, keys, async (customerId) => void customerIds.push(customerId));
  return customerIds;
}

describe('erasures in a log', () => {
  test('are carried out once: what was noted is not read again', async () => {
    const log = await logOf(['customer-ann', erased('ann')], ['order-o1', newEvent()]);
    expect(await carriedOut(log)).toEqual(['ann']);
    expect(keys.mark).toMatchObject({ stream: 'order-o1', revision: 0, position: await log.head() });
    expect(await carriedOut(log)).toEqual([]);
    await log.append('customer-bob', noStream, [erased('bob')]);
    expect(await carriedOut(log)).toEqual(['bob']);
  });

  test('are read from the beginning where the stream of the event that was noted is cut', async () => {
    for (const cut of ['truncated', 'tombstoned']) {
      keys = new Noted();
      const log = await logOf(['order-o1', newEvent()]);
      await carriedOut(log);
      await log.append('order-o1', 0, [newEvent()]);
      if (cut === 'truncated') log.truncate('order-o1', 1);
      else log.tombstone('order-o1');
      await log.append('customer-ann', noStream, [erased('ann')]);
      expect(await carriedOut(log)).toEqual(['ann']);
    }
  });

  test('are read from the beginning of a log that has other events where it was noted', async () => {
    const before = ['order-o1', newEvent()] as const;
    await carriedOut(await logOf(before, ['customer-ann', erased('ann')]));
    // An older log was restored and has grown since: another erasure is where that one was.
    expect(await carriedOut(await logOf(before, ['customer-bob', erased('bob')]))).toEqual(['bob']);
    expect(await carriedOut(await logOf(before, ['customer-ann', erased('ann')], ['order-o2', newEvent()]))).toEqual([
      'ann',
    ]);
  });

  test('even where they are in the same stream, at the same revision and position', async () => {
    await carriedOut(await logOf(['customer-ann', erased('ann')], ['order-o1', newEvent()]));
    expect(await carriedOut(await logOf(['customer-bob', erased('bob')], ['order-o1', newEvent()]))).toEqual(['bob']);
  });

  test('are read from the beginning of a log that has the noted event elsewhere', async () => {
    const last = ['order-o9', newEvent()] as const;
    await carriedOut(await logOf(['order-o1', newEvent()], ['order-o2', newEvent()], last));
    const another = await logOf(last, ['customer-ann', erased('ann')], ['customer-bob', erased('bob')]);
    expect(await carriedOut(another)).toEqual(['ann', 'bob']);
  });

  test('that a log has not, because it is older than the note, are no fault', async () => {
    await carriedOut(await logOf(['order-o1', newEvent()], ['customer-ann', erased('ann')]));
    expect(await carriedOut(await logOf(['order-o1', newEvent()]))).toEqual([]);
  });

  test('that cannot be read are told of, of customers alone', async () => {
    const log = new MemoryEventStore(virtualClock(0));
    for (const stream of ['customer-ann', 'order-o1']) await appendUnreadable(log, stream, noStream);
    log.tombstone('customer-bob');
    const faults: StreamUnreadable[] = [];
    await carryOutErasures(log, keys, () => Promise.resolve(), { unreadable: (fault) => faults.push(fault) });
    expect(faults).toMatchObject([{ kind: 'stream-unreadable', stream: 'customer-ann', revision: 0, position: 1 }]);
  });

  test('are noted only once they are carried out', async () => {
    const log = await logOf(['order-o1', newEvent()], ['customer-ann', erased('ann')]);
    const fails = carryOutErasures(log, keys, () => Promise.reject(new Error('It is down.')));
    await expect(fails).rejects.toThrow('It is down.');
    expect(keys.mark).toBeUndefined();
    expect(await carriedOut(log)).toEqual(['ann']);
  });

  test('wait for the next time where they are called off, and nothing is noted of them', async () => {
    const log = await logOf(['customer-ann', erased('ann')]);
    const none: string[] = [];
    const carryOut = async (customerId: string): Promise<void> => void none.push(customerId);
    await carryOutErasures(log, keys, carryOut, { betweenPages: async () => false });
    expect([none, keys.mark]).toEqual([[], undefined]);
    expect(await carriedOut(log)).toEqual(['ann']);
  });
});
