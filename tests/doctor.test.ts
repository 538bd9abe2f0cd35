import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { runCommandLine } from './support/command-line.js';
import { startServer, type Server } from './support/server.js';

// Each test starts some processes.
jest.setTimeout(120_000);

describe('waybill doctor, beside a running server', () => {
  let dataFolder: string;
  let server: Server;

  beforeAll(async () => {
    dataFolder = await mkdtemp(join(tmpdir(), 'waybill-doctor-'));
    server = await startServer(dataFolder);
  });

  afterAll(async () => {
    await server.stop('SIGINT');
    await rm(dataFolder, { recursive: true });
  });

  test('finds it at its ports, and nothing that is bad', async () => {
    const { exitCode, stdout } = await runCommandLine(dataFolder, ['doctor', '--json'], {
      WAYBILL_WRITE_PORT: new URL(server.writeUrl).port,
      WAYBILL_READ_PORT: new URL(server.readUrl).port,
    });
    expect(exitCode).toBe(0);
    const { ok, checks } = JSON.parse(stdout) as { readonly ok: boolean; readonly checks: readonly object[] };
    expect(ok).toBe(true);
    expect(checks).toContainEqual({ name: 'server', state: 'good', detail: 'running' });
    for (const whose of ['write API', 'read API']) {
      const detail = expect.stringMatching(/where it answers$/);
      expect(checks).toContainEqual({ name: `port of ${whose}`, state: 'good', detail });
    }
    expect(checks).toContainEqual(expect.objectContaining({ name: 'read models file', state: 'good' }));
  });

  test('finds the write API where the read API ought to be', async () => {
    const { exitCode, stdout } = await runCommandLine(dataFolder, ['doctor'], {
      WAYBILL_WRITE_PORT: new URL(server.writeUrl).port,
      WAYBILL_READ_PORT: new URL(server.writeUrl).port,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/BAD +port of read API .* is used by another program\.\n +→ /);
  });
});
