import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';

/** As much as an event. */
const body = Buffer.alloc(900, 'x');

/** A queue of the kind that Waybill uses, for measuring how long a message takes from its publisher to its consumer. */
export async function openRoundTrips(url) {
  const queue = `waybill-bench-${randomUUID()}`;
  const model = await connect(url, { noDelay: true });
  const publishing = await model.createConfirmChannel();
  const consuming = await model.createChannel();
  await consuming.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  let arrived;
  await consuming.consume(queue, (message) => {
    // `null` says that the queue is gone.
    if (message === null) return;
    arrived();
    consuming.ack(message);
  });

  async function measureOne() {
    const arrival = new Promise((resolve) => (arrived = resolve));
    const begin = performance.now();
    publishing.sendToQueue(queue, body, { persistent: true });
    await arrival;
    return performance.now() - begin;
  }

  return {
    /** Times of one after the other, in milliseconds, until the signal aborts; a pause lies between two. */
    async measure(pause, signal) {
      const times = [];
      while (!signal.aborted) {
        times.push(await measureOne());
        await sleep(pause);
      }
      return times;
    },
    async close() {
      await consuming.deleteQueue(queue);
      await model.close();
    },
  };
}
