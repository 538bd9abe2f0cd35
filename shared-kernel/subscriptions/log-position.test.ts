import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LogMismatch } from '../errors.js';
import {
  cutAt,
  further,
  judgePosition,
  logBeginning,
  mayMoveOn,
  requireFit,
  Trail,
  type LogPosition,
} from './log-position.js';

interface Row {
  readonly position: number;
  readonly id: string;
}

/** Events of ours at every third position: their ids tell which history they are of. */
const history = (count: number, name = 'a', from = 0): readonly Row[] =>
  Array.from({ length: count }, (_, index) => ({
    position: 3 * (from + index + 1),
    id: `${name}${from + index}`,
  }));

/** A log of these events, some of which were truncated since, that ends with a record of others at `end`. */
function logOf(
  rows: readonly Row[],
  { truncated = [], end = rows.at(-1)?.position ?? 0 }: { truncated?: readonly number[]; end?: number } = {},
) {
  return {
    head: () => Promise.resolve(end),
    recordAt: (position: number) => {
      const row = rows.find((each) => each.position === position);
      if (truncated.includes(position)) return Promise.resolve('absent' as const);
      if (position === end) return Promise.resolve({ id: row?.id ?? 'of others' });
      return Promise.resolve(row ?? ('none' as const));
    },
  };
}

function passed(rows: readonly Row[], sizes: readonly number[] = [rows.length], through?: number): LogPosition {
  let [trail, at] = [Trail.from(logBeginning), 0];
  for (const size of sizes) {
    const page = rows.slice(at, at + size);
    at += size;
    if (page.length > 0) trail = trail.pass(page, page.at(-1)!.position);
    // As if it had been stored and taken up again.
    if (size % 2 === 0) trail = Trail.from(trail.position());
  }
  if (through !== undefined) trail = trail.pass([], through);
  return trail.position();
}

describe('the trail of a position', () => {
  test('names the last event, some before it, and the first, as they are stored', () => {
    expect(passed(history(2_000), [2_000 - 1, 1])).toEqual({
      through: 6_000,
      anchors: [
        [6_000, 'a1999'],
        [expect.any(Number), expect.any(String)],
        [expect.any(Number), expect.any(String)],
        [expect.any(Number), expect.any(String)],
        [3, 'a0'],
      ],
    });
    expect(JSON.stringify(passed(history(1)))).toBe('{"through":3,"anchors":[[3,"a0"]]}');
  });

  test('has an anchor of about each age wanted, however the log is cut and whenever it is taken up again', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 700 })), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(sizes, (pages) => {
        const rows = history(pages.reduce((sum, size) => sum + size, 0));
        const { anchors, through } = passed(rows, pages);
        expect(through).toBe(rows.at(-1)!.position);
        const ages = anchors.map(([position]) => rows.length - position / 3);
        expect(ages[0]).toBe(0);
        expect(ages).toEqual([...ages].sort((a, b) => a - b));
        for (const [position, id] of anchors) expect(rows[position / 3 - 1]).toEqual({ position, id });
        expect(anchors.at(-1)).toEqual([3, 'a0']);
        for (const [wanted, most] of [
          [10, 100],
          [100, 1_000],
        ] as const) {
          if (rows.length > most * 4) expect(ages.some((age) => age >= wanted && age <= most * 4)).toBe(true);
        }
        expect(anchors.length).toBeLessThanOrEqual(5);
      }),
    );
  });

  test('moves over records of others without another anchor, never back, and doubles nothing', () => {
    const before = passed(history(20));
    const trail = Trail.from(before).pass([], 100);
    expect(trail.position()).toEqual({ ...before, through: 100 });
    expect(trail.pass(history(5), 15).position()).toEqual({ ...before, through: 100 });
  });

  test('can be cut where something stood still', () => {
    const position = passed(history(200), [50, 100, 50]);
    const cut = cutAt(position, 310);
    expect(cut.through).toBe(310);
    expect(cut.anchors.every(([at]) => at <= 310)).toBe(true);
    expect(cut.anchors.length).toBeGreaterThan(0);
    expect(further(position, cut)).toBe(position);
    expect(further(cut, position)).toBe(position);
  });
});

describe('holding a position to a log', () => {
  const rows = history(300);
  const position = passed(rows, [250, 50]);

  test('fits the log it was made from, also when that has gone on', async () => {
    expect(await judgePosition(logOf(rows), position)).toMatchObject({ fit: 'fits', shared: [900, 'a299'] });
    expect(await judgePosition(logOf([...rows, ...history(5, 'a', 300)]), position)).toMatchObject({ fit: 'fits' });
    expect(await judgePosition(logOf(rows, { end: 5_000 }), passed(rows, [300], 5_000))).toMatchObject({ fit: 'fits' });
    expect(await judgePosition(logOf([]), logBeginning)).toMatchObject({ fit: 'fits' });
  });

  test.each([
    ['an older one', history(200)],
    ['an older one that has grown by less since', [...history(200), ...history(50, 'b', 200)]],
    ['an older one that has grown past it since', [...history(200), ...history(500, 'b', 200)]],
  ])('does not fit %s, and says up to where both are the same', async (_, restored) => {
    const judged = await judgePosition(logOf(restored), position);
    expect(judged).toMatchObject({ fit: 'differs', why: expect.any(String) });
    expect(judged.shared![0]).toBeLessThanOrEqual(600);
    await expect(requireFit(logOf(restored), position, 'It')).rejects.toThrow(LogMismatch);
  });

  test('does not fit another log, nor an empty one', async () => {
    for (const other of [history(1_000, 'z'), []]) {
      expect(await judgePosition(logOf(other), position)).toMatchObject({ fit: 'differs', shared: undefined });
    }
  });

  test('does not speak against the log that events it has met cannot be read there any more', async () => {
    const unreadable = (positions: readonly number[]) => {
      const log = logOf(rows);
      const recordAt = (at: number) =>
        positions.includes(at) ? Promise.resolve('unreadable' as const) : log.recordAt(at);
      return { ...log, recordAt };
    };
    const last = position.anchors[0]![0];
    expect(await judgePosition(unreadable([last]), position)).toMatchObject({ fit: 'fits' });
    expect(await mayMoveOn(unreadable([last]), position)).toBe(true);
    const met = { through: last, anchors: position.anchors.slice(0, 1) };
    expect(await judgePosition(unreadable([last]), met)).toEqual({ fit: 'fits', shared: undefined });
    const other = { ...met, anchors: [...met.anchors, [3, 'z0'] as const] };
    expect(await judgePosition(unreadable([last]), other)).toMatchObject({ fit: 'differs' });
  });

  test('does not fit a log that ends before how far it looked, though all of ours is there', async () => {
    const looked = passed(rows, [300], 2_000);
    expect(await judgePosition(logOf(rows, { end: 1_500 }), looked)).toMatchObject({ fit: 'differs' });
    expect(await judgePosition(logOf([], { end: 5 }), { through: 6, anchors: [] })).toMatchObject({ fit: 'differs' });
  });

  test('does not fit where no record is up to which it looked, whoever wrote that; where it was truncated, it fits', async () => {
    const looked = passed(rows, [300], 2_000);
    const regrown = logOf(rows, { end: 2_500 });
    expect(await judgePosition(regrown, looked)).toMatchObject({
      fit: 'differs',
      shared: [900, 'a299'],
      why: 'the log has no record at 2000, up to which it has looked',
    });
    expect(await mayMoveOn(regrown, looked)).toBe(false);
    expect(await judgePosition(regrown, { through: 2_000, anchors: [] })).toMatchObject({ fit: 'differs' });
    const truncated = logOf(rows, { end: 2_500, truncated: [2_000] });
    expect(await judgePosition(truncated, looked)).toMatchObject({ fit: 'fits' });
    expect(await mayMoveOn(truncated, looked)).toBe(true);
  });

  test('does not fit a log that it followed after that was restored, and says up to where all is the same', async () => {
    const before = passed(history(20));
    const restored = [...history(15), ...history(15, 'b', 15)];
    const followed = Trail.from(before).pass(restored, 90).position();
    expect(followed.anchors).toEqual([
      [90, 'b29'],
      [60, 'a19'],
      [3, 'a0'],
    ]);
    expect(await judgePosition(logOf(restored), followed)).toMatchObject({ fit: 'differs', shared: [3, 'a0'] });
    expect(await mayMoveOn(logOf(restored), before)).toBe(false);
    expect(await mayMoveOn(logOf(history(30)), before)).toBe(true);
  });

  test('fits where its last events were truncated and an earlier one is there; with none left there is no telling', async () => {
    const [last, ...earlier] = position.anchors.map(([at]) => at);
    expect(await judgePosition(logOf(rows, { truncated: [last!] }), position)).toMatchObject({ fit: 'fits' });
    expect(await mayMoveOn(logOf(rows, { truncated: [last!] }), position)).toBe(true);
    const all = logOf(rows, { truncated: [last!, ...earlier] });
    expect(await judgePosition(all, position)).toMatchObject({ fit: 'unknown', shared: undefined });
    await expect(requireFit(all, position, 'It')).rejects.toThrow(LogMismatch);
  });

  test('of one stored before anchors were kept, only how far it is counts', async () => {
    expect(await judgePosition(logOf(rows), { through: 900, anchors: [] })).toMatchObject({ fit: 'fits' });
  });
});
