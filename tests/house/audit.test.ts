import { expect, test } from '@jest/globals';
import { nodeModule } from './node.js';

const package_ = (name: string, severity: string) => [name, { name, severity }] as const;
const report = (...packages: readonly (readonly [string, object])[]) =>
  JSON.stringify({ auditReportVersion: 2, vulnerabilities: Object.fromEntries(packages) });

test.each([
  ['nothing is vulnerable', report(), []],
  ['something is, a little', report(package_('a', 'moderate'), package_('b', 'low')), []],
  [
    'something is, badly',
    report(package_('a', 'high'), package_('b', 'info'), package_('c', 'critical')),
    ['a (high)', 'c (critical)'],
  ],
  ['the registry has no such service', JSON.stringify({ message: '405 Method Not Allowed', statusCode: 405 }), null],
  ['npm said nothing', '', null],
])('where %s the check knows it', async (_what, told, found) => {
  const { stdout, stderr } = await nodeModule(`
    import { vulnerable } from './tools/audit.mjs';
    process.stdout.write(JSON.stringify(vulnerable(${JSON.stringify(told)}) ?? null));
  `);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual(found);
});
