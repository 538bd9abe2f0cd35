import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { reported, withReport, type Reports } from './reports.js';

const anyTime = fc.nat(50).map((minute) => new Date(minute * 60_000).toISOString());

test('reports are known by their times, whatever the order they came in, and stand newest first', () => {
  fc.assert(
    fc.property(fc.array(anyTime), anyTime, (times, asked) => {
      let reports: Reports;
      for (const at of times) reports = withReport(reports, at);
      expect(reported(reports, asked)).toBe(times.includes(asked));
      const listed: string[] = [];
      for (let next = reports; next !== undefined; next = next.earlier) listed.push(next.at);
      expect(listed).toEqual([...new Set(times)].sort().reverse());
    }),
  );
});

test('ten thousand reports backwards are only slow, not too deep', () => {
  let reports: Reports;
  for (let minute = 10_000; minute > 0; minute -= 1) {
    reports = withReport(reports, new Date(minute * 60_000).toISOString());
  }
  expect(reported(reports, new Date(60_000).toISOString())).toBe(true);
});
