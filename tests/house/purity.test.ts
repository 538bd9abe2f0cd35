import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { checkout, read, sources } from './checkout.js';
import { nodeModule } from './node.js';

/** `const order: Decider<…>`, `… satisfies Projection`: where one is made, not where one is used. */
const makesOne = /^(?:export )?const \w+: (?:Decider<|Projection\b)|satisfies (?:Decider<|Projection\b)/m;

test('every decider and every projection is among the files that must stay pure', async () => {
  const { stdout } = await nodeModule(`
    import { pureFiles } from './pure-files.mjs';
    process.stdout.write(JSON.stringify(pureFiles));
  `);
  const pureFiles = JSON.parse(stdout) as readonly string[];
  expect(pureFiles.filter((path) => !existsSync(join(checkout, path)))).toEqual([]);

  const makers = sources().filter((path) => !path.endsWith('.test.ts') && makesOne.test(read(path)));
  expect(makers.length).toBeGreaterThan(3);
  expect(makers.filter((path) => !pureFiles.includes(path))).toEqual([]);
});
