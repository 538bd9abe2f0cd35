import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { seededRandomness } from '@waybill/infra/clock/seeded.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { manualTimer, type ManualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { LazyCheckpoints } from './lazy-checkpoints.js';
import { at } from '@waybill/shared-kernel/testing/at.js';

describe('positions saved late', () => {
  let saved: [partition: number, position: number][];
  let fault: Error | undefined;
  let told: string[];
  let timer: ManualTimer;
  let late: LazyCheckpoints;
  let prepare: (partition: number) => Promise<void>;

  function begin(): void {
    saved = [];
    fault = undefined;
    told = [];
    timer = manualTimer();
    prepare = () => Promise.resolve();
    late = new LazyCheckpoints('c', {
      positions: {
        saveConsumerPosition: async (_, partition, position) => {
          if (fault !== undefined) throw fault;
          saved.push([partition, position.through]);
        },
      },
      timer,
      randomness: seededRandomness('late'),
      prepare: (partition) => prepare(partition),
      report: ({ message }, of) => told.push(`${of}: ${message}`),
    });
  }

  beforeEach(begin);

  async function elapse(): Promise<void> {
    await turns();
    timer.elapse();
    await turns();
  }

  test('those of many batches in all partitions are saved together, the last of each', async () => {
    for (let position = 1; position <= 100; position += 1) late.done(position % 2, at(position));
    await turns();
    expect([saved, timer.waits]).toEqual([[], [250]]);
    await elapse();
    expect(saved.sort()).toEqual([
      [0, 100],
      [1, 99],
    ]);
    expect(timer.waits).toEqual([]);
    late.done(0, at(101));
    await elapse();
    expect(saved).toHaveLength(3);
  });

  test('are preceded by what has to be there before them, and wait for it where that fails', async () => {
    const steps: string[] = [];
    prepare = async (partition) => {
      steps.push(`prepared ${partition} when ${saved.length} were saved`);
      // What is done meanwhile is not prepared, and its position not saved.
      late.done(0, at(8));
      if (steps.length === 1) throw new Unavailable('read store', 'away');
    };
    late.done(0, at(7));
    await elapse();
    expect(saved).toEqual([]);
    expect(told).toEqual(['c/position: away']);
    prepare = async () => {
      late.done(0, at(9));
    };
    await elapse();
    expect(saved).toEqual([[0, 8]]);
  });

  test('one of a partition that is given away is saved before that, and not again', async () => {
    late.done(0, at(7));
    late.done(1, at(8));
    await late.flush(0);
    expect(saved).toEqual([[0, 7]]);
    await elapse();
    expect(saved).toEqual([
      [0, 7],
      [1, 8],
    ]);
  });

  test('when the last partition is given away nothing goes on', async () => {
    late.done(0, at(7));
    await late.flush(0);
    await turns();
    expect(timer.waits).toEqual([]);
    await late.flush(0);
    expect(saved).toEqual([[0, 7]]);
  });

  test('one that is forgotten is not saved any more, nor one whose save had begun, which is waited for', async () => {
    late.done(0, at(7));
    late.done(1, at(8));
    await late.forget(0);
    let goOn = (): void => undefined;
    prepare = () => new Promise((resolve) => (goOn = resolve));
    await elapse();
    let isForgotten = false;
    const forgetting = late.forget(1).then(() => (isForgotten = true));
    await turns();
    expect(isForgotten).toBe(false);
    goOn();
    await forgetting;
    await turns();
    expect([saved, timer.waits]).toEqual([[], []]);
  });

  test('a store that is down is told of, holds up nobody, and is asked again with what is done by then', async () => {
    fault = new Unavailable('read store', 'Gone.');
    late.done(0, at(7));
    late.done(1, at(8));
    await elapse();
    expect([saved, told]).toEqual([[], ['c/position: Gone.']]);
    await late.flush(1);
    fault = undefined;
    late.done(0, at(9));
    await elapse();
    expect(saved).toEqual([[0, 9]]);
  });

  test('none is ever ahead of what is done, and in the end all are where it is', async () => {
    const anyStep = fc.oneof(
      fc.record({ partition: fc.nat(2), what: fc.constantFrom('done', 'done', 'flush') }),
      fc.record({ partition: fc.constant(0), what: fc.constantFrom('elapse', 'break', 'mend') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
        begin();
        const done = [0, 0, 0];
        for (const { partition, what } of steps) {
          if (what === 'done') late.done(partition, at((done[partition]! += 1)));
          if (what === 'flush') await late.flush(partition);
          if (what === 'elapse') await elapse();
          if (what === 'break') fault = new Unavailable('read store', 'Gone.');
          if (what === 'mend') fault = undefined;
          for (const [of, position] of saved) expect(position).toBeLessThanOrEqual(done[of]!);
        }
        fault = undefined;
        for (const partition of done.keys()) late.done(partition, at((done[partition]! += 1)));
        await elapse();
        const last = new Map(saved);
        expect([...done.keys()].map((partition) => last.get(partition))).toEqual(done);
      }),
      { numRuns: runs(30, 300) },
    );
  });
});

test('positions that could not be saved wait longer each time, and no longer once some are saved', async () => {
  const longest: Randomness = { ...seededRandomness('late'), bytes: (count) => new Uint8Array(count).fill(0xff) };
  const timer = manualTimer();
  let isDown = true;
  const saved: number[] = [];
  const late = new LazyCheckpoints('c', {
    positions: {
      saveConsumerPosition: async (_, partition, position) => {
        if (isDown) throw new Unavailable('read store', 'Gone.');
        saved.push(position.through);
        // It goes on meanwhile, so that there always is something to be saved.
        late.done(partition, at(position.through + 1));
      },
    },
    timer,
    randomness: longest,
  });
  late.done(0, at(7));
  const waits: (readonly number[])[] = [];
  for (let round = 0; round < 6; round += 1) {
    await turns();
    waits.push(timer.waits);
    if (round === 2) isDown = false;
    if (round === 4) isDown = true;
    timer.elapse();
  }
  await turns();
  expect(waits).toEqual([[250], [750], [1250], [250], [250], [750]]);
  expect(saved).toEqual([7, 8]);
  await late.forget(0);
});

test('when the last position is forgotten nothing goes on', async () => {
  const timer = manualTimer();
  const late = new LazyCheckpoints('c', {
    positions: { saveConsumerPosition: () => Promise.reject(new Unavailable('read store', 'Gone.')) },
    timer,
    randomness: seededRandomness('late'),
  });
  late.done(0, at(7));
  late.done(1, at(8));
  await late.forget(0);
  await turns();
  expect(timer.waits).toEqual([250]);
  await late.forget(1);
  await turns();
  expect(timer.waits).toEqual([]);
});
