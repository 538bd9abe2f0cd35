import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import {
  systemClock as clock,
  systemRandomness as randomness,
  systemTimer as timer,
} from '@waybill/infra/clock/system.js';
import { connectionTo, type Connection } from '@waybill/infra/event-store/eventstoredb/connection.js';
import {
  openEventStoreDb,
  type EventStoreDbEventStore,
} from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { StandInServer } from '@waybill/infra/event-store/eventstoredb/testing/stand-in-server.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import type { ReadStore, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { verifyReadModels } from '../audit/verify-read-models.js';
import { projections } from '../read-models/projections.js';
import { catchUp } from './catch-up.js';
import { liveProjections } from '../rebuild/change-versions.js';
import { requestRebuild, type RequestTuning } from '../rebuild/request-rebuild.js';
import { hastyTuning } from '../rebuild/testing/kept.js';
import { confirmed, happening, listed, onFulfilment, onPayment, placed, scheduled } from '../testing/history.js';
import { appendAll } from '../testing/logs.js';

/** What becomes of documents when streams are tombstoned and scavenged, so that the log has nothing of them any more. */

const tuning: RequestTuning = { rebuilder: hastyTuning.rebuilder, answerTimeoutMs: 50, alonePatience: 20, look: 2 };

let server: StandInServer;
let log: EventStoreDbEventStore;
let readStore: ReadStore;
let operator: Connection;

beforeEach(async () => {
  server = await StandInServer.listen();
  log = openEventStoreDb(server.url, { answerTimeoutMs: 20_000 });
  readStore = openSqliteReadStore(':memory:');
  operator = connectionTo(server.url);
});

afterEach(async () => {
  await Promise.all([log.close(), readStore.close(), operator.client.dispose()]);
  server.kill();
});

const deliveryId = deliveryIdOf('o1');

const ofOrder = (orderId: string) => [
  placed(orderId),
  onFulfilment(orderId, { type: 'FulfilmentCancelled', data: { orderId } }),
  onPayment(orderId, { type: 'PaymentAuthorised', data: { orderId, amount: 10_500, currency: 'EUR' } }),
  confirmed(orderId),
  scheduled(orderId),
];

const registered = (customerId: string) =>
  happening(`customer-${customerId}`, customerId, {
    type: 'CustomerRegistered',
    data: { customerId, name: 'sealed.1.ada.YQ', phone: 'sealed.1.ada.YQ', address: 'sealed.1.ada.YQ' },
  });

/** Every stream of ours, and the documents whose events go with it. */
const kinds = [
  ['order-o1', ['orders o1']],
  ['payment-o1', ['orders o1']],
  [`delivery-${deliveryId}`, ['orders o1', `deliveries ${deliveryId}`]],
  ['product-P-1', ['products P-1']],
  ['customer-ada', ['customers ada']],
] as const;
const everyStream = [...kinds.map(([stream]) => stream), 'fulfilment-o1'];
const everyDocument = ['customers ada', `deliveries ${deliveryId}`, 'orders o1', 'products P-1'];

async function begin(): Promise<void> {
  await appendAll(log, [listed('P-1'), registered('ada'), ...ofOrder('o1'), ...ofOrder('o2')]);
}

/** As an operator of the server does. */
async function scavengeAway(...streams: readonly string[]): Promise<void> {
  for (const stream of streams) await operator.client.tombstoneStream(stream);
  server.scavenge();
}

async function project(onto = readStore): Promise<void> {
  const { halted } = await catchUp(await liveProjections(projections, onto), { store: log, readStore: onto, clock });
  expect(halted).toEqual([]);
}

/** All documents, as `<projection> <key>`. */
async function documents(from = readStore): Promise<ReadonlyMap<string, StoredDocument>> {
  const found = new Map<string, StoredDocument>();
  for (const { collection } of await liveProjections(projections, from)) {
    for (const document of await from.scan(collection, undefined, 100))
      found.set(`${collection.name} ${document.key}`, document);
  }
  return found;
}

async function marked(from = readStore): Promise<readonly string[]> {
  const found = [...(await documents(from))].filter(([, { degraded }]) => degraded?.cut !== undefined);
  return found.map(([name]) => name).toSorted();
}

async function audit() {
  const { ok, differences, cut } = await verifyReadModels(await liveProjections(projections, readStore), {
    store: log,
    readStore,
  });
  return { ok, differences, cut: cut.map(({ projection, key }) => `${projection} ${key}`).toSorted() };
}

async function rebuildAll(): Promise<void> {
  for (const projection of projections) {
    const dependencies = { store: log, readStore, clock, steadyClock, timer, randomness };
    const outcome = await requestRebuild(projection, 'rebuild', dependencies, { alone: true }, tuning);
    expect(outcome).toMatchObject({ result: 'switched' });
  }
}

function stateOf(found: ReadonlyMap<string, StoredDocument>, name: string) {
  const { revisions, sections } = found.get(name) ?? {};
  return { revisions, sections };
}

describe.each(kinds)('of %s nothing is left', (stream, concerned) => {
  const expected = concerned.toSorted();

  test('its documents are marked, kept by a rebuild, and no differences', async () => {
    await begin();
    await project();
    const before = await documents();
    await scavengeAway(stream);
    expect(await audit()).toEqual({ ok: false, differences: [], cut: expected });
    await project();
    expect(await marked()).toEqual(expected);
    await rebuildAll();
    const after = await documents();
    expect(await marked()).toEqual(expected);
    for (const name of before.keys()) expect([name, stateOf(after, name)]).toEqual([name, stateOf(before, name)]);
    expect(await audit()).toEqual({ ok: false, differences: [], cut: expected });
  });

  test('a rebuild marks them also before a projector has', async () => {
    await begin();
    await project();
    const before = await documents();
    await scavengeAway(stream);
    await rebuildAll();
    expect(await marked()).toEqual(expected);
    const after = await documents();
    for (const name of before.keys()) expect([name, stateOf(after, name)]).toEqual([name, stateOf(before, name)]);
  });

  test('read models that are made anew mark what the rest of the log knows of', async () => {
    await begin();
    await scavengeAway(stream);
    await project();
    // Nothing but an order has a document that other streams begin.
    expect(await marked()).toEqual(expected.filter((name) => name === 'orders o1'));
    expect(stateOf(await documents(), 'orders o2').revisions).toEqual({ order: 1, payment: 0, delivery: 0 });
  });
});

test('where nothing is left of an order at all, a rebuild keeps and marks what is known of it', async () => {
  await begin();
  await project();
  const before = await documents();
  await scavengeAway(...everyStream);
  await rebuildAll();
  const after = await documents();
  expect(await marked()).toEqual(everyDocument);
  for (const name of before.keys()) expect([name, stateOf(after, name)]).toEqual([name, stateOf(before, name)]);
  expect(await audit()).toEqual({ ok: false, differences: [], cut: everyDocument });
});

test('of an order of which the log has but one event of a stream that was deleted a document says so', async () => {
  await begin();
  for (const stream of everyStream) {
    if (stream === 'order-o1') await operator.client.deleteStream(stream);
    else await operator.client.tombstoneStream(stream);
  }
  server.scavenge();
  await project();
  expect(await marked()).toEqual(['orders o1']);
});

test('of a stream that is merely named like one of ours no document is made', async () => {
  await begin();
  await project();
  for (const stream of ['order-theirs', 'delivery-theirs', 'product-theirs', 'customer-theirs']) {
    server.write(stream, 'Foreign', 2);
    await operator.client.tombstoneStream(stream);
  }
  const before = [...(await documents()).keys()];
  await project();
  server.scavenge();
  await rebuildAll();
  expect([...(await documents()).keys()]).toEqual(before);
  expect(await audit()).toEqual({ ok: true, differences: [], cut: [] });
});
