import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { noReports, remembered, reported, withReport } from './reports.js';

const timeOf = (minute: number): string => new Date(minute * 60_000).toISOString();
const anyTime = fc.nat(2 * remembered).map(timeOf);

test('reports are known by their times, whatever the order they came in, or the log is asked', () => {
  fc.assert(
    fc.property(fc.array(anyTime, { maxLength: 4 * remembered }), anyTime, (times, asked) => {
      const reports = times.reduce(withReport, noReports);
      const latest = [...new Set(times)].sort().reverse();
      const areCut = latest.length > remembered;
      expect(reports).toEqual({ count: times.length, times: latest.slice(0, remembered), areCut });
      const known = latest.length <= remembered || asked >= latest[remembered - 1]!;
      expect(reported(reports, asked)).toBe(known ? times.includes(asked) : undefined);
    }),
  );
});

test('a report is known by its second', () => {
  const reports = ['2026-01-01T10:00:00.999Z', '2026-01-01T10:00:02.000Z'].reduce(withReport, noReports);
  expect(reported(reports, '2026-01-01T10:00:00.000Z')).toBe(true);
  expect(reported(reports, '2026-01-01T10:00:01.000Z')).toBe(false);
  expect(reported(reports, '2026-01-01T10:00:01.999Z')).toBe(false);
  expect(reported(reports, '2026-01-01T10:00:02.999Z')).toBe(true);
});

test('however many there are, no more is remembered of them', () => {
  const minutes = Array.from({ length: 10_000 }, (_, minute) => minute);
  for (const times of [minutes, minutes.toReversed()]) {
    const reports = times.map(timeOf).reduce(withReport, noReports);
    expect(reports.times).toHaveLength(remembered);
    expect(reports.count).toBe(10_000);
    expect(reported(reports, timeOf(9_999))).toBe(true);
    expect(reported(reports, timeOf(10_000))).toBe(false);
    expect(reported(reports, timeOf(0))).toBeUndefined();
  }
});
