import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npm } from '../bootstrap/install.mjs';

const serious = ['high', 'critical'];

/**
 * What `npm audit --json` reported: the names of packages with a vulnerability that is serious, each with how serious;
 * `undefined` when it reported nothing, because it is offline or the registry has no such service.
 */
export function vulnerable(text) {
  let report;
  try {
    report = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof report !== 'object' || report === null || report.auditReportVersion === undefined) return undefined;
  return Object.values(report.vulnerabilities)
    .filter(({ severity }) => serious.includes(severity))
    .map(({ name, severity }) => `${name} (${severity})`);
}

/** Asks the registry about everything that runs in production. Resolves with the exit code. */
export async function audit() {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-audit-'));
  const file = join(folder, 'report.json');
  const report = openSync(file, 'w');
  try {
    const args = ['audit', '--omit=dev', '--json', '--fetch-retries=0', '--fetch-timeout=20000'];
    await npm(args, { stdio: ['ignore', report, 'ignore'], timeout: 60_000 });
    const found = vulnerable(readFileSync(file, 'utf8'));
    if (found === undefined) {
      process.stderr.write('audit: skipped, the registry does not tell of vulnerabilities (npm audit says why)\n');
      return 0;
    }
    if (found.length > 0) process.stderr.write(`audit: vulnerable, see npm audit: ${found.join(', ')}\n`);
    return found.length === 0 ? 0 : 1;
  } finally {
    closeSync(report);
    rmSync(folder, { recursive: true });
  }
}
