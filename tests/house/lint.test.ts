import { beforeAll, describe, expect, test } from '@jest/globals';
import { nodeModule } from './node.js';

/** A path, a text that must not stand there, and the rule that says so. */
const forbidden = [
  ['shared-kernel/partitions/partition.ts', 'export const at = Date.now();', 'no-restricted-syntax'],
  ['shared-kernel/partitions/partition.ts', 'export const at = new Date();', 'no-restricted-syntax'],
  ['shared-kernel/partitions/partition.ts', 'export const chance = Math.random();', 'no-restricted-syntax'],
  ['command-side/x.ts', "import { randomUUID } from 'node:crypto';\nrandomUUID();", 'no-restricted-syntax'],
  ['command-side/ordering/order.ts', "import 'node:fs';", 'no-restricted-imports'],
  ['command-side/ordering/order.ts', "import 'node:crypto';", 'no-restricted-imports'],
  ['command-side/ordering/order.ts', 'export const wait = setTimeout;', 'no-restricted-globals'],
  ['command-side/ordering/order.ts', 'export const name = process.env;', 'no-restricted-globals'],
  ['projections/index.ts', 'export const one = 1;', 'house/file-name'],
  ['projections/order-utils.ts', 'export const one = 1;', 'house/file-name'],
  ['projections/connection-manager.ts', 'export const one = 1;', 'house/file-name'],
  ['projections/orderList.ts', 'export const one = 1;', 'house/file-name'],
  ['projections/x.ts', "export type Log = Pick<EventStore, 'head'>;", 'no-restricted-syntax'],
  ['infra/x.ts', "export type Documents = Omit<ReadStore, 'close'>;", 'no-restricted-syntax'],
  ['projections/x.test.ts', "export interface Log extends Pick<EventStore, 'head'> {}", 'no-restricted-syntax'],
  ['projections/x.ts', 'export const one = (x: any) => x;', '@typescript-eslint/no-explicit-any'],
  ['projections/x.ts', "import { T } from './t.js';\nexport type U = T;", '@typescript-eslint/consistent-type-imports'],
] as const;

/** What the same rules must let pass. */
const allowed = [
  ['shared-kernel/partitions/partition.ts', "export const at = new Date('2020-01-01');"],
  ['infra/clock/system.ts', 'export const at = Date.now();'],
  ['projections/x.test.ts', 'export const at = Date.now();'],
] as const;

describe('lint', () => {
  let found: readonly (readonly (string | null)[])[];
  let configured: Readonly<Record<string, readonly [number, ...unknown[]]>>;

  beforeAll(async () => {
    const { stdout, stderr } = await nodeModule(`
      import { ESLint } from 'eslint';
      import tseslint from 'typescript-eslint';
      const untyped = new ESLint({
        overrideConfig: { ...tseslint.configs.disableTypeChecked, files: ['**/*.ts'] },
        warnIgnored: false,
      });
      const found = [];
      for (const [filePath, text] of ${JSON.stringify([...forbidden, ...allowed])}) {
        const [result] = await untyped.lintText(text, { filePath });
        found.push(result.messages.map((message) => message.ruleId));
      }
      const { rules } = await new ESLint().calculateConfigForFile('projections/x.ts');
      process.stdout.write(JSON.stringify({ found, configured: rules }));
    `);
    expect(stderr).toBe('');
    ({ found, configured } = JSON.parse(stdout) as { found: typeof found; configured: typeof configured });
  });

  test.each(forbidden.map((one, index) => [...one, index] as const))(
    '%s may not say: %s',
    (_path, _text, rule, index) => {
      expect(found[index]).toContain(rule);
    },
  );

  test.each(allowed.map((one, index) => [...one, index] as const))('%s may say: %s', (_path, _text, index) => {
    expect(found[forbidden.length + index]).toEqual([]);
  });

  test.each(['no-floating-promises', 'no-misused-promises', 'switch-exhaustiveness-check', 'no-unsafe-assignment'])(
    '%s is an error',
    (rule) => {
      expect(configured[`@typescript-eslint/${rule}`]?.[0]).toBe(2);
    },
  );
});
