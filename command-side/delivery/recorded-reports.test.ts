import { expect, test } from '@jest/globals';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { RecordedReports } from './recorded-reports.js';

const facts = { deliveryId: 'd1', orderId: 'o1', customerId: 'ann', address: 'sealed.1.ann.AAAA', promisedBy: null };
const timeOf = (minute: number): string => new Date(minute * 60_000).toISOString();

function eventOf(revision: number, id = `e${revision}`): KnownEvent {
  const actor = { sub: 'k1', role: 'courier' };
  const data =
    revision === 0
      ? { type: 'DeliveryScheduled', data: facts }
      : revision === 1
        ? { type: 'DeliveryAssigned', data: { ...facts, courierId: 'k1' } }
        : { type: 'DeliveryPositionReported', data: { ...facts, latitude: 1, longitude: 1, at: timeOf(revision) } };
  return { id, revision, position: revision, actor, ...data } as KnownEvent;
}

function logOf(events: readonly KnownEvent[]) {
  const log = { events, read: 0 };
  const eventsOf = async function* (_id: string, from: number) {
    for (const event of log.events.slice(from)) {
      log.read += 1;
      yield event;
    }
  };
  return { log, eventsOf };
}

const many = Array.from({ length: 1_000 }, (_, revision) => eventOf(revision));

test('a log is read once, then what is new in it, also by those who ask at once', async () => {
  const { log, eventsOf } = logOf(many);
  const reports = new RecordedReports(eventsOf);
  const found = await Promise.all([2, 500, 999, 1_000].map((minute) => reports.at('d1', timeOf(minute))));
  expect(found.map((told) => told.map(({ revision }) => revision))).toEqual([[2], [500], [999], []]);
  expect(found[0]![0]).toMatchObject({ courierId: 'k1', state: { status: 'assigned' }, actor: { sub: 'k1' } });
  expect(log.read).toBe(many.length + 3);
  log.events = [...many, eventOf(1_000)];
  expect(await reports.at('d1', timeOf(1_000))).toHaveLength(1);
  expect(log.read).toBe(many.length + 5);
});

test('another log is read anew, and a failed look spoils nothing', async () => {
  const { log, eventsOf } = logOf(many);
  let fails = false;
  const reports = new RecordedReports(async function* (id, from) {
    for await (const event of eventsOf(id, from)) {
      yield event;
      if (fails) throw new Error('cut off');
    }
  });
  expect(await reports.at('d1', timeOf(700))).toHaveLength(1);
  fails = true;
  await expect(reports.at('d1', timeOf(700))).rejects.toThrow('cut off');
  fails = false;
  expect(await reports.at('d1', timeOf(700))).toHaveLength(1);
  log.events = many.slice(0, 600);
  expect(await reports.at('d1', timeOf(700))).toEqual([]);
  log.events = [...many.slice(0, 599), eventOf(599, 'other'), eventOf(600)];
  expect(await reports.at('d1', timeOf(600))).toHaveLength(1);
});

test('no more is kept than that', async () => {
  const { log, eventsOf } = logOf(many);
  const reports = new RecordedReports(eventsOf, { keep: 1_500 });
  for (const id of ['d1', 'd2', 'd1']) await reports.at(id, timeOf(2));
  expect(log.read).toBe(3 * many.length);
});
