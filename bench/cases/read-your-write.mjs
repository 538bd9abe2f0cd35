import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeConsistencyToken } from '../../shared-kernel/dist/consistency-token.js';
import { inScratchFolder } from '../scratch.mjs';
import { startWaybill } from '../process.mjs';
import { openShop } from '../shop.mjs';

const customer = 'customer-0';
const seconds = Number(process.env.WAYBILL_BENCH_SECONDS ?? 6);
const waitingReads = 1_000;

const readYourWriteAt = (rate) => ({
  name: `read-your-write-${rate}`,
  what: `a read that waits for its write, ${rate} orders/s offered, everything on: median`,
  against: 'the same read with nothing to wait for, beside it',
  unit: 'ms',
  atMost: 5,
  async sides({ note }) {
    const rounds = new Map();
    const measure = (round) => {
      if (!rounds.has(round))
        rounds.set(
          round,
          inScratchFolder((folder) => readWrites(folder, rate)),
        );
      return rounds.get(round);
    };
    return {
      ours: async (round) => {
        const { waiting, plain, shed } = await measure(round);
        note(`99th percentile ${percentile(waiting, 99).toFixed(1)} against ${percentile(plain, 99).toFixed(1)} ms`);
        if (shed > 0) note(`${shed} orders were shed: the machine carries fewer`);
        return percentile(waiting, 50);
      },
      theirs: async (round) => percentile((await measure(round)).plain, 50),
    };
  },
});

/** Some customers', and more than that. */
export const readYourWrite = [60, 200].map(readYourWriteAt);

export const readsBesideWaiting = {
  name: 'reads-beside-waiting',
  what: `a read beside ${waitingReads.toLocaleString('en')} that wait for a write which never comes: 99th percentile`,
  against: 'the same without those',
  unit: 'ms',
  atMost: 5,
  async sides() {
    return {
      ours: () => inScratchFolder((folder) => readBeside(folder, waitingReads)),
      theirs: () => inScratchFolder((folder) => readBeside(folder, 0)),
    };
  },
};

/** Milliseconds of each read, of an order that was placed just now and of one that was there, at an even pace; and orders that were shed. */
async function readWrites(folder, rate) {
  return withShop(folder, async ({ place, read, untilProjected }) => {
    const { orderId: old } = await place();
    await untilProjected();
    const [waiting, plain] = [[], []];
    const under = [];
    let shed = 0;
    const begin = performance.now();
    for (let sent = 0; sent < rate * seconds;) {
      for (const due = ((performance.now() - begin) / 1000) * rate; sent < due; sent += 1) {
        under.push(
          place().then(async (placed) => {
            if (placed === undefined) {
              shed += 1;
              return;
            }
            const { orderId, token } = placed;
            waiting.push(await read(orderId, { 'consistency-token': token }));
            plain.push(await read(old));
          }),
        );
      }
      await sleep(2);
    }
    await Promise.all(under);
    return { waiting, plain, shed };
  });
}

/** The 99th percentile of reads, a hundred a second, milliseconds. */
async function readBeside(folder, count) {
  return withShop(folder, async ({ place, read, untilProjected }) => {
    const { orderId } = await place();
    await untilProjected();
    const token = encodeConsistencyToken({
      stream: `order-${orderId}`,
      revision: 0,
      position: Number.MAX_SAFE_INTEGER,
      partitionKey: orderId,
    });
    const future = { 'consistency-token': token, prefer: 'wait=10' };
    const waiting = Array.from({ length: count }, () => read(orderId, future, 503));
    const times = [];
    const begin = performance.now();
    while (performance.now() - begin < Math.min(seconds, 8) * 1000) {
      times.push(await read(orderId));
      await sleep(10);
    }
    await Promise.all(waiting);
    return percentile(times, 99);
  });
}

async function withShop(folder, work) {
  const waybill = await startWaybill(folder);
  const agent = new Agent({ keepAlive: true, maxSockets: 2 * waitingReads });
  try {
    const shop = await openShop(folder, waybill);
    await shop.registerCustomer(customer);
    const headers = { authorization: `Bearer ${shop.token}` };
    const place = async () => {
      const body = {
        customerId: customer,
        lines: [{ productId: 'tea', quantity: 1 }],
        payment: { token: 'tok_approve' },
      };
      const own = { ...headers, 'content-type': 'application/json', 'idempotency-key': randomUUID() };
      const sent = ask(`${waybill.writeUrl}/v1/orders`, 'POST', own, agent, [201, 429], JSON.stringify(body));
      const { status, text, received } = await sent;
      if (status === 429) return undefined;
      return { orderId: JSON.parse(text).orderId, token: received['consistency-token'] };
    };
    const read = async (orderId, more = {}, status = 200) => {
      const begin = performance.now();
      await ask(`${waybill.readUrl}/v1/orders/${orderId}`, 'GET', { ...headers, ...more }, agent, [status]);
      return performance.now() - begin;
    };
    // What is not compiled yet is not what is measured.
    for (let warm = 0; warm < 100; warm += 1) {
      const placed = await place();
      if (placed !== undefined) await read(placed.orderId, { 'consistency-token': placed.token, prefer: 'wait=10' });
    }
    await shop.untilProjected();
    return await work({ place, read, untilProjected: () => shop.untilProjected() });
  } finally {
    agent.destroy();
    await waybill.stop();
  }
}

function ask(url, method, headers, agent, wanted, body) {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => {
        const { statusCode: status, headers: received } = response;
        if (wanted.includes(status)) resolve({ status, text, received });
        else reject(new Error(`${url}: ${response.statusCode} ${text}`));
      });
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

function percentile(times, percent) {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * percent) / 100) - 1)];
}
