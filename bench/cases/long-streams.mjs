import { fillFolder } from '../filled-folder.mjs';
import { load } from '../http-load.mjs';
import { appendMoves, appendPositions, timeOfPosition } from '../long-streams.mjs';
import { orderIdOf } from '../orders-log.mjs';
import { startWaybill } from '../process.mjs';
import { median } from '../rounds.mjs';
import { lastingScratchFolder } from '../scratch.mjs';
import { tokenFor } from '../shop.mjs';

const seconds = Number(process.env.WAYBILL_BENCH_SECONDS ?? 6);
/** As many as a delivery takes, and as it could have before there was such a bound. */
const [most, many, some] = [20_000, 50_000, 1_000];
const orders = { most: orderIdOf(0), many: orderIdOf(1), some: orderIdOf(2) };
const moves = 5_000;
const askedByStranger = 60;
const readers = 4;

let opened;
/** The server that all of these ask, filled once. */
async function server() {
  opened ??= open();
  return opened;
}

/** Ends the server and removes its folder. */
export async function closeLongStreams() {
  await (await opened)?.close();
}

async function open() {
  const { folder, remove } = lastingScratchFolder();
  await fillFolder(folder, {
    orders: 1_000,
    customers: 10,
    also: async (store, addressOf) => {
      await appendPositions(store, orders.most, most);
      await appendPositions(store, orders.many, many);
      await appendPositions(store, orders.some, some);
      await appendMoves(store, 'customer-8', moves, addressOf);
      await appendMoves(store, 'customer-9', 50, addressOf);
    },
  });
  const { readUrl, stop } = await startWaybill(folder);
  const operator = await tokenFor(folder);
  const stranger = await tokenFor(folder, { sub: 'stranger', roles: ['customer', 'courier'] });
  return {
    readUrl,
    operator,
    stranger,
    get: (path, token = operator) => fetch(readUrl + path, { headers: { authorization: `Bearer ${token}` } }),
    close: async () => {
      await stop();
      remove();
    },
  };
}

async function expectStatus(status, answer) {
  const response = await answer;
  const text = await response.text();
  if (response.status !== status) throw new Error(`${response.url}: ${response.status} ${text.slice(0, 200)}`);
  return text;
}

/** Milliseconds that the slowest `/healthz` took while `work` was going on, one asked after the other. */
async function worstHealth({ readUrl }, work) {
  let [isDone, worst] = [false, 0];
  const watching = (async () => {
    while (!isDone) {
      const begin = performance.now();
      await expectStatus(200, fetch(`${readUrl}/healthz`));
      worst = Math.max(worst, performance.now() - begin);
    }
  })();
  try {
    await work();
  } finally {
    isDone = true;
    await watching;
  }
  return worst;
}

export const strangersTimelines = {
  name: 'strangers-timelines',
  what: `the slowest \`/healthz\` while a stranger asks ${askedByStranger} times for the timeline of a delivery of ${most.toLocaleString('en')} positions`,
  against: 'the same for an order that is not there',
  unit: 'ms',
  atMost: 3,
  async sides({ note }) {
    const waybill = await server();
    const worst = (orderId) =>
      worstHealth(waybill, () =>
        Promise.all(
          Array.from({ length: askedByStranger }, () =>
            expectStatus(404, waybill.get(`/v1/orders/${orderId}/timeline`, waybill.stranger)),
          ),
        ),
      );
    return {
      ours: async () => {
        const ms = await worst(orders.most);
        note(`${ms.toFixed(0)} ms (at most 100)`);
        return ms;
      },
      theirs: () => worst('none'),
    };
  },
};

export const readersOfLongTimelines = {
  name: 'readers-of-long-timelines',
  what: `the 99th percentile of an order's reads while ${readers} page through a timeline of ${many.toLocaleString('en')} positions`,
  against: 'the same while nobody does',
  unit: 'ms',
  atMost: 50,
  async sides({ note }) {
    const waybill = await server();
    const request = { url: `${waybill.readUrl}/v1/orders/${orders.some}/tracking`, connections: 4, seconds };
    const headers = { authorization: `Bearer ${waybill.operator}` };
    const p99 = async () => (await load({ ...request, headers })).p99;
    return {
      ours: async () => {
        let [isDone, pages] = [false, 0];
        const page = async () => {
          for (let query = ''; !isDone;) {
            const text = await expectStatus(200, waybill.get(`/v1/orders/${orders.many}/timeline${query}`));
            const [, next] = /"next":"([^"]+)"\}$/.exec(text) ?? [];
            pages += 1;
            query = next === undefined ? '' : `?cursor=${next}`;
          }
        };
        const reading = Promise.all(Array.from({ length: readers }, page));
        const ms = await p99().finally(() => {
          isDone = true;
        });
        await reading;
        note(`${ms.toFixed(0)} ms (at most 50), ${(pages / seconds).toFixed(0)} pages a second beside it`);
        return ms;
      },
      theirs: p99,
    };
  },
};

export const customersData = {
  name: 'customers-data',
  what: `the slowest \`/healthz\` while all that is kept of a customer of ${moves.toLocaleString('en')} address changes is read 20 times`,
  against: 'the same of 50 address changes',
  unit: 'ms',
  atMost: 10,
  async sides({ note }) {
    const waybill = await server();
    const worst = (customerId) =>
      worstHealth(waybill, () =>
        Promise.all(
          Array.from({ length: 20 }, () => expectStatus(200, waybill.get(`/v1/customers/${customerId}/data`))),
        ),
      );
    return {
      ours: async () => {
        const begin = performance.now();
        const ms = await worst('customer-8');
        note(`${ms.toFixed(0)} ms, and ${(performance.now() - begin).toFixed(0)} ms until all 20 had it`);
        return ms;
      },
      theirs: () => worst('customer-9'),
    };
  },
};

export const longPast = {
  name: 'long-past',
  what: `\`asOf\` of an order whose delivery has ${many.toLocaleString('en')} positions`,
  against: `the same with ${some.toLocaleString('en')}`,
  unit: 'ms',
  atMost: 2,
  async sides({ note }) {
    const waybill = await server();
    const time = async (orderId, count) => {
      const asOf = timeOfPosition(count / 2);
      const times = [];
      for (let read = 0; read < 100; read += 1) {
        const begin = performance.now();
        const past = JSON.parse(await expectStatus(200, waybill.get(`/v1/orders/${orderId}?asOf=${asOf}`)));
        times.push(performance.now() - begin);
        if (past.delivery?.status !== 'picked_up') throw new Error(`not that past: ${JSON.stringify(past)}`);
      }
      return median(times);
    };
    return {
      ours: async () => {
        const ms = await time(orders.many, many);
        note(`${ms.toFixed(1)} ms (at most 20)`);
        return ms;
      },
      theirs: () => time(orders.some, some),
    };
  },
};
