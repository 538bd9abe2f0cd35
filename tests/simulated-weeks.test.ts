import { availableParallelism } from 'node:os';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { amissIn } from './simulation/format-week.js';
import { runWeek, type WeekReport } from './simulation/week-process.js';
import { seed } from './support/seed.js';

// Simulated weeks that nobody has seen: so many as WAYBILL_TEST_WEEKS says, each with a seed of its own that is printed,
// or the one of WAYBILL_SIMULATION_SEED.

const weeks = Number(process.env['WAYBILL_TEST_WEEKS'] ?? runs(1, 20));
const orders = 500;
const named = process.env['WAYBILL_SIMULATION_SEED'];
const seeds = named === undefined ? Array.from({ length: weeks }, (_, index) => `${seed}-${index}`) : [named];

describe('a simulated week that nobody has seen', () => {
  const reports = new Map<string, WeekReport>();

  beforeAll(async () => {
    const waiting = [...seeds];
    const runner = async (): Promise<void> => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        const report = await runWeek(one, orders);
        reports.set(one, report);
        process.stdout.write(`week ${one}: ${report.amiss.length === 0 ? 'nothing' : report.amiss.length} amiss\n`);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, runner));
  }, seeds.length * 60_000);

  test.each(seeds)('ends with nothing amiss, WAYBILL_SIMULATION_SEED=%s', (one) => {
    expect(amissIn(reports.get(one)!, one)).toEqual([]);
  });
});
