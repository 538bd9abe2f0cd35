import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { checkout } from './checkout.js';
import { nodeModule } from './node.js';

interface BrokenArrow {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

const fixtures = 'tests/house/fixtures/boundaries';
const fixtureNames = readdirSync(join(checkout, fixtures));

describe('boundaries', () => {
  let rules: readonly string[];
  let broken: Readonly<Record<string, readonly BrokenArrow[]>>;

  beforeAll(async () => {
    const { stdout, stderr } = await nodeModule(`
      import configuration from './.dependency-cruiser.mjs';
      import { brokenArrows } from './tools/boundaries.mjs';
      const broken = { '.': await brokenArrows() };
      for (const name of ${JSON.stringify(fixtureNames)}) {
        broken[name] = await brokenArrows(${JSON.stringify(join(checkout, fixtures))} + '/' + name);
      }
      const rules = configuration.forbidden.map((rule) => rule.name);
      process.stdout.write(JSON.stringify({ rules, broken }));
    `);
    expect(stderr).toBe('');
    ({ rules, broken } = JSON.parse(stdout) as { rules: typeof rules; broken: typeof broken });
  });

  test('every rule has a fixture, and every fixture a rule', () => {
    expect(fixtureNames.toSorted()).toEqual(rules.toSorted());
  });

  test.each(fixtureNames)('%s: the fixture that breaks it is caught, with the reason', (name) => {
    const caught = broken[name]?.find((one) => one.rule === name);
    expect(caught?.reason).toMatch(/\w{3}.*\.$/s);
  });

  test('the tree breaks none', () => {
    expect(broken['.']).toEqual([]);
  });
});
