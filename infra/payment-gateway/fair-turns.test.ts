import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { FairTurns, TooManyWaiting } from './fair-turns.js';

/** Works that go on until the test ends them. */
class Works {
  readonly #under = new Map<string, (() => void)[]>();
  readonly begun: string[] = [];

  begin(payer: string): Promise<void> {
    this.begun.push(payer);
    return new Promise((resolve) => this.#under.set(payer, [...this.of(payer), resolve]));
  }

  of(payer: string): (() => void)[] {
    return this.#under.get(payer) ?? [];
  }

  end(payer: string): void {
    this.of(payer).shift()?.();
  }

  get underWay(): number {
    return [...this.#under.values()].flat().length;
  }
}

const payers = ['ann', 'bob', 'cid', 'dora'];

test('whoever comes and has none under way is begun while a place is free; nobody is lost, and none is one too many', async () => {
  const step = fc.record({ does: fc.constantFrom('take', 'take', 'end'), payer: fc.constantFrom(...payers) });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 80 }), async (concurrent, steps) => {
      const works = new Works();
      const fair = new FairTurns({ concurrent, waiting: 20 });
      const asked: Promise<unknown>[] = [];
      const [wanted, refused]: [string[], string[]] = [[], []];
      const count = (those: readonly string[], of: string) => those.filter((payer) => payer === of).length;
      const waiting = (payer: string) => count(wanted, payer) - count(works.begun, payer) - count(refused, payer);
      for (const { does, payer } of steps) {
        if (does === 'end') works.end(payer);
        else {
          wanted.push(payer);
          const taking = fair.take(payer, () => works.begin(payer));
          asked.push(
            taking.catch((error: unknown) => {
              expect(error).toBeInstanceOf(TooManyWaiting);
              refused.push(payer);
            }),
          );
        }
        await turns(2);
        expect(works.underWay).toBeLessThanOrEqual(concurrent);
        const isFree = works.underWay < concurrent;
        const kept = payers.filter((one) => works.of(one).length === 0 && waiting(one) > 0);
        expect(isFree ? kept : []).toEqual([]);
      }
      while (works.underWay > 0) {
        for (const payer of payers) works.end(payer);
        await turns(2);
      }
      await Promise.all(asked);
      expect(works.begun.length + refused.length).toBe(asked.length);
    }),
  );
});

test('one payer has a third of the places, another less, and whoever comes finds one', async () => {
  const works = new Works();
  const fair = new FairTurns({ concurrent: 32, waiting: 1_000 });
  for (let nth = 0; nth < 60; nth += 1) void fair.take('ann', () => works.begin('ann'));
  expect(works.of('ann')).toHaveLength(11);
  for (let nth = 0; nth < 60; nth += 1) void fair.take('bob', () => works.begin('bob'));
  expect(works.of('bob')).toHaveLength(7);
  for (const payer of ['cid', 'dora']) {
    void fair.take(payer, () => works.begin(payer));
    expect(works.of(payer)).toHaveLength(1);
  }
});

test('what waits is begun when there is room again, and all that is left is given up at the end', async () => {
  const works = new Works();
  const fair = new FairTurns({ concurrent: 1, waiting: 10 });
  fair.allow(0);
  const [first, second] = ['ann', 'bob'].map((payer) => fair.take(payer, () => works.begin(payer)));
  expect(works.begun).toEqual([]);
  fair.allow(1);
  expect(works.begun).toEqual(['ann']);
  works.end('ann');
  await first;
  expect(works.of('bob')).toHaveLength(1);
  const third = fair.take('cid', () => works.begin('cid'));
  fair.end(new Error('over'));
  await expect(third).rejects.toThrow('over');
  await expect(fair.take('cid', () => works.begin('cid'))).rejects.toThrow('over');
  works.end('bob');
  await second;
});
