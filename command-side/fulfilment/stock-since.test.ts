import { expect, test } from '@jest/globals';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Since } from '../catalogue/stock-keeper.js';
import { ProcessManager, type ProcessManagerDependencies } from './process-manager.js';
import { Bench } from './testing/fulfilment-bench.js';

/** A process manager that has begun just now, and since when each command to the stock may have been carried out. */
function begun(bench: Bench, fails: () => boolean = () => false) {
  const asked: (readonly ['reserve' | 'release', Since | undefined])[] = [];
  const stock: ProcessManagerDependencies['stock'] = {
    reserve: async (_orderId, items, _cause, since) => {
      asked.push(['reserve', since]);
      if (fails()) throw new Error('It died here.');
      return { reserved: items };
    },
    release: async (_orderId, _items, _certain, _cause, since) => {
      asked.push(['release', since]);
      if (fails()) throw new Error('It died here.');
    },
  };
  const clock = { time: () => bench.clock.time(), isProven: () => true };
  const manager = new ProcessManager({ ...bench.dependencies(), clock, stock, worklist: { note: () => {} } });
  return {
    asked,
    handle: (event: RecordedEvent) => manager.handle('o1', upcast(event), () => Promise.resolve(false)),
  };
}

const positionOf = (since: Since | undefined) => (typeof since === 'function' ? since() : since);

async function eventOf(bench: Bench, type: string): Promise<RecordedEvent> {
  return (await bench.events()).find((event) => event.type === type)!;
}

test('stock is asked for since the fulfilment began, and given back since that was cancelled', async () => {
  const bench = new Bench();
  await bench.place('o1');
  const { asked, handle } = begun(bench);
  await handle(await eventOf(bench, 'OrderPlaced'));
  await bench.cancel('o1');
  await handle(await eventOf(bench, 'OrderCancelled'));
  const cancelled = await eventOf(bench, 'FulfilmentCancelled');
  expect(asked).toEqual([
    ['reserve', (await eventOf(bench, 'FulfilmentStarted')).position],
    // With what was noted together.
    ['release', cancelled.position + 1],
  ]);
});

test('who hears of the order again finds when the fulfilment began', async () => {
  const bench = new Bench();
  await bench.place('o1');
  const first = begun(bench, () => true);
  await expect(first.handle(await eventOf(bench, 'OrderPlaced'))).rejects.toThrow('It died here.');
  const { asked, handle } = begun(bench);
  await handle(await eventOf(bench, 'OrderPlaced'));
  expect(asked).toEqual([['reserve', expect.any(Function)]]);
  expect(await positionOf(asked[0]![1])).toBe((await eventOf(bench, 'FulfilmentStarted')).position);
});

test('who goes on later, told something else, finds that in the fulfilment’s own stream', async () => {
  const bench = new Bench();
  await bench.place('o1');
  await begun(bench).handle(await eventOf(bench, 'OrderPlaced'));
  await bench.payments.settle();
  await bench.cancel('o1');
  const first = begun(bench, () => true);
  await expect(first.handle(await eventOf(bench, 'OrderCancelled'))).rejects.toThrow('It died here.');
  const { asked, handle } = begun(bench);
  await handle(await eventOf(bench, 'PaymentAuthorised'));
  expect(asked).toEqual([['release', expect.any(Function)]]);
  expect(await positionOf(asked[0]![1])).toBe((await eventOf(bench, 'FulfilmentCancelled')).position);
});

test('what nobody knows to be set aside may have been so since the fulfilment began', async () => {
  const bench = new Bench();
  await bench.place('o1');
  const first = begun(bench, () => true);
  await expect(first.handle(await eventOf(bench, 'OrderPlaced'))).rejects.toThrow('It died here.');
  await bench.cancel('o1');
  const { asked, handle } = begun(bench);
  await handle(await eventOf(bench, 'OrderCancelled'));
  expect(asked).toEqual([['release', expect.any(Function)]]);
  expect(await positionOf(asked[0]![1])).toBe((await eventOf(bench, 'FulfilmentStarted')).position);
});
