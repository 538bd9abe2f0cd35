import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import { Deployment } from '../../../dist/tests/support/deployment.js';
import { Names } from '../../../infra/dist/broker/rabbitmq/names.js';
import { systemClock } from '../../../infra/dist/clock/system.js';
import { openEventStore } from '../../../infra/dist/process/engines.js';
import { projections } from '../../../projections/dist/read-models/projections.js';
import { orders } from '../../../projections/dist/read-models/orders.js';
import { measureLag } from '../../../shared-kernel/dist/subscriptions/measure-lag.js';
import { decodeConsistencyToken } from '../../../shared-kernel/dist/consistency-token.js';
import { partitionCount, partitionOf } from '../../../shared-kernel/dist/partitions/partition.js';
import { load } from '../../http-load.mjs';
import { atEnd, mongoDb, namedEventStoreDb, rabbitMq } from '../../servers.mjs';
import { placementRequest } from '../place-order.mjs';
import { scratchDatabase } from './database.mjs';
import { consumers } from './queues.mjs';
import { openRoundTrips } from './round-trips.mjs';

const parts = ['write-api', 'read-api', 'relay', 'projector', 'fulfilment'];
const customer = 'customer-0';
const connections = 32;
const warmUpSeconds = 8;
const fullLoadSeconds = 4;
/** What it may take until everything is projected, milliseconds. */
const projectingLimit = 120_000;
const seconds = Number(process.env.WAYBILL_BENCH_SECONDS ?? 6);

export const visibility = {
  name: 'visibility',
  what: 'command answered → visible in the read model, half of full load, each part a process: 99th percentile',
  against: 'one publish-and-consume round trip of the broker beside it, a quorum queue: median',
  unit: 'ms',
  atMost: 10,
  async sides({ note, noteOnce }) {
    const amqp = await rabbitMq();
    await assertUnused(amqp);
    const database = scratchDatabase(await mongoDb());
    noteOnce(
      `the log was ${namedEventStoreDb === undefined ? 'an SQLite file that the processes share' : 'in EventStoreDB'}`,
    );
    const deployment = await Deployment.create({
      eventStore: namedEventStoreDb,
      broker: amqp,
      readStore: database.url,
    });
    atEnd(() => deployment.dispose());
    const trips = await openRoundTrips(amqp);
    const readStore = deployment.openReadStore();
    const close = async () => {
      await readStore.close();
      await trips.close();
      await deployment.dispose();
      await database.remove();
      await removeQueues(amqp);
    };
    try {
      await deployment.startAll(parts);
      await readStore.declare(orders.collection);
      const shop = await openShop(deployment);
      const full = await fullLoad(deployment, readStore, shop);
      const idle = await trips.measure(5, AbortSignal.timeout(2000));
      noteOnce(
        `full load: ${Math.round(full)} orders a second, until all was projected; a round trip of the idle broker: ${spread(idle)}`,
      );
      await oneRound(shop, readStore, trips, full / 10, (text) => noteOnce(`at a tenth of full load ${text}`));
      const measured = new Map();
      const measure = (round) => {
        if (!measured.has(round)) measured.set(round, oneRound(shop, readStore, trips, full / 2, note));
        return measured.get(round);
      };
      return {
        ours: async (round) => percentile((await measure(round)).visible, 99),
        theirs: async (round) => percentile((await measure(round)).trips, 50),
        close,
      };
    } catch (error) {
      process.stderr.write(`${deployment.report()}\n`);
      await close();
      throw error;
    }
  },
};

/** A shop with something to sell, in running processes. */
async function openShop(deployment) {
  const writeUrl = deployment.the('write-api').url;
  const token = await deployment.token('shop');
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const post = (path, body) => postTo(`${writeUrl}${path}`, token, agent, body);
  await post('/v1/products', { productId: 'tea', name: 'Green Tea', unitPrice: { amount: 900, currency: 'EUR' } });
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  await post('/v1/customers', { customerId: customer, name: 'Ann', phone: '+49 30 1', address });
  return { writeUrl, token, post };
}

/** Orders a second that the processes can take for good: all of them projected and fulfilled, by the time that took. */
async function fullLoad(deployment, readStore, { writeUrl, token }) {
  const run = async (duration) => {
    const begin = performance.now();
    const request = placementRequest(writeUrl, token, customer);
    const { count } = await load({ ...request, connections, seconds: duration, mayRefuse: true });
    await untilProjected(deployment.config, readStore);
    return count / ((performance.now() - begin) / 1000);
  };
  await run(warmUpSeconds);
  return run(fullLoadSeconds);
}

/** Until every read model is where the log is, and nothing is added any more. */
async function untilProjected(config, readStore) {
  const store = openEventStore(config, { clock: systemClock });
  const deadline = Date.now() + projectingLimit;
  for (let before = -1; ;) {
    const head = await store.head();
    const { projections: lags } = await measureLag(projections, { store, readStore, clock: systemClock });
    if (head === before && lags.every(({ lagEvents }) => lagEvents === 0)) break;
    if (Date.now() > deadline) throw new Error('Not everything was projected in time.');
    before = head;
    await sleep(50);
  }
  await store.close();
}

/** Sends orders at an even pace and watches until each is visible. */
async function oneRound({ post }, readStore, trips, rate, note) {
  const over = new AbortController();
  const watcher = watch(readStore);
  const tripping = trips.measure(50, over.signal);
  const visible = [];
  const under = [];
  const begin = performance.now();
  for (let sent = 0; sent < rate * seconds;) {
    for (const due = ((performance.now() - begin) / 1000) * rate; sent < due; sent += 1) {
      under.push(
        post('/v1/orders', {
          customerId: customer,
          lines: [{ productId: 'tea', quantity: 2 }],
          payment: { token: 'tok_approve' },
        })
          .then(watcher.untilVisible)
          .then((time) => visible.push(time)),
      );
    }
    await sleep(2);
  }
  await Promise.all(under);
  over.abort();
  await watcher.stop();
  const times = await tripping;
  note(`${visible.length} orders: ${spread(visible)}; ${times.length} round trips beside them: ${spread(times)}`);
  return { visible, trips: times };
}

/** Looks at the positions of the orders in the read store, every few milliseconds. */
function watch(readStore) {
  let waiting = [];
  let isOver = false;
  const looking = look();

  async function look() {
    while (!isOver) {
      const positions = await readStore.positions(orders.collection);
      const now = performance.now();
      const still = [];
      for (const one of waiting) {
        if (positions[one.partition] >= one.position) one.resolve(Math.max(0, now - one.answered));
        else still.push(one);
      }
      waiting = still;
      await sleep(4);
    }
  }

  return {
    /** Milliseconds between an answer and the look that found it projected. */
    untilVisible: ({ answered, consistencyToken }) =>
      new Promise((resolve) => {
        const { position, partitionKey } = decodeConsistencyToken(consistencyToken);
        waiting.push({ answered, position, partition: partitionOf(partitionKey), resolve });
      }),
    stop: () => {
      isOver = true;
      return looking;
    },
  };
}

function postTo(url, token, agent, body) {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      'idempotency-key': randomUUID(),
    };
    request(url, { method: 'POST', agent, headers }, (response) => {
      const answered = performance.now();
      response.resume();
      if (response.statusCode !== 201) reject(new Error(`${url}: ${response.statusCode}`));
      else resolve({ answered, consistencyToken: response.headers['consistency-token'] });
    })
      .on('error', reject)
      .end(JSON.stringify(body));
  });
}

function percentile(times, percent) {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)];
}

function spread(times) {
  return `${percentile(times, 50).toFixed(1)} ms (median), ${percentile(times, 99).toFixed(1)} ms (99th percentile)`;
}

const waybill = new Names('waybill');

/** Waybill's processes have one name for their queues: a server that another installation uses is left alone. */
async function assertUnused(url) {
  const model = await connect(url);
  model.on('error', () => undefined);
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  const isUsed = await channel.checkExchange(waybill.events).then(
    () => true,
    () => false,
  );
  await model.close();
  if (isUsed)
    throw new Error('The RabbitMQ that WAYBILL_TEST_AMQP names is used by a Waybill; give it a server of its own.');
}

async function removeQueues(url) {
  const model = await connect(url);
  const channel = await model.createChannel();
  for (const { consumer } of consumers) {
    for (let partition = 0; partition < partitionCount; partition += 1)
      await channel.deleteQueue(waybill.queue({ consumer, partition }));
  }
  await channel.deleteQueue(waybill.deadLetters);
  await channel.deleteExchange(waybill.events);
  await model.close();
}
