import { randomUUID } from 'node:crypto';
import { AggregateStreams } from '../../command-side/dist/handling/aggregate-streams.js';
import { delivery } from '../../command-side/dist/delivery/delivery.js';
import { snapshotTuning } from '../../command-side/dist/handling/snapshots/aggregate-snapshots.js';
import { openSnapshottedLog, timeOfLoading } from '../snapshotted-log.mjs';

const long = 10_000;
const short = 10;
/** Long ones differ in length by an event each: from none after the last snapshot to as many as there can be. */
const deliveries = snapshotTuning.every;
const loads = 2_000;

export const loadAggregate = {
  name: 'load-aggregate',
  what: `load a delivery of ${long.toLocaleString('en')} events, which the process has not seen yet`,
  against: `the same of ${short}`,
  unit: 'ms',
  atMost: 2,
  async sides({ noteOnce }) {
    const { store, snapshots, streamsOf, close } = openSnapshottedLog('delivery', delivery);
    const writer = streamsOf();
    const ids = { long: [], short: [] };
    for (let index = 0; index < deliveries; index += 1) {
      ids.long.push(await deliver(writer, long + index));
      await snapshots.settled();
      ids.short.push(await deliver(writer, short));
    }
    const whole = () => new AggregateStreams(store, 'delivery', delivery, { keep: 1 });
    noteOnce(`without snapshots ${(await timeOfLoading(whole, ids.long, 20)).toFixed(1)} ms`);
    return {
      ours: () => timeOfLoading(streamsOf, ids.long, loads),
      theirs: () => timeOfLoading(streamsOf, ids.short, loads),
      close,
    };
  },
};

/** The stream of a delivery whose courier reports where they are; resolves with its id. */
async function deliver(streams, count) {
  const deliveryId = randomUUID();
  const orderId = randomUUID();
  const of = { deliveryId, orderId };
  const address = `sealed.1.customer-1.${'A'.repeat(120)}`;
  const eventOf = (type, data, revision) => envelope(orderId, revision, type, { ...of, ...data });
  const events = [
    eventOf('DeliveryScheduled', { customerId: 'customer-1', address, promisedBy: null }, 0),
    eventOf('DeliveryAssigned', { courierId: 'courier-1' }, 1),
    eventOf('DeliveryPickedUp', { courierId: 'courier-1' }, 2),
  ];
  for (let revision = events.length; revision < count; revision += 1) {
    const at = timeOfReport(revision);
    events.push(eventOf('DeliveryPositionReported', { latitude: 52.520008, longitude: 13.404954, at }, revision));
  }
  let loaded = streams.unwritten();
  // Most of it at once, and what comes after the last snapshot one by one, as it comes in life.
  const atOnce = events.splice(0, count - (count % snapshotTuning.every));
  if (atOnce.length > 0) loaded = await streams.append(deliveryId, loaded, atOnce);
  for (const event of events) loaded = await streams.append(deliveryId, loaded, [event]);
  return deliveryId;
}

function envelope(partitionKey, revision, type, data) {
  const id = randomUUID();
  return {
    id,
    type,
    schemaVersion: 1,
    occurredAt: timeOfReport(revision),
    correlationId: id,
    causationId: id,
    actor: { sub: 'courier-1', role: 'courier' },
    partitionKey,
    data,
  };
}

/** One every ten seconds. */
function timeOfReport(revision) {
  return new Date(Date.UTC(2026, 0, 1) + revision * 10_000).toISOString();
}
