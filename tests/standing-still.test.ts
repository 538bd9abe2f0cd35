import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { startServer } from './support/server.js';
import { waitUntil } from './support/wait-until.js';

test('a server of which a partition stands still is not ready, and says which and why', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-standing-still-'));
  const server = await startServer(folder);
  const readiness = async () => {
    const response = await fetch(`${server.readUrl}/readyz`);
    const { checks } = (await response.json()) as { checks: Record<string, string> };
    return { status: response.status, checks };
  };
  try {
    await waitUntil('it follows the log', async () => (await readiness()).status === 200);
    const log = openSqliteEventStore(dataFiles(folder).log, { clock: systemClock });
    const ofANewerProgram = { ...newEvent(), type: 'OrderConfirmed', schemaVersion: 99, partitionKey: 'o1' };
    await log.append('order-o1', -1, [ofANewerProgram]);
    await log.close();
    const { checks } = await waitUntil('it is not ready', async () => {
      const found = await readiness();
      return found.status === 503 && `orders.v2/${partitionOf('o1')}` in found.checks && found;
    });
    expect(checks[`orders.v2/${partitionOf('o1')}`]).toMatch(/^It has not moved from position .* for \d+ s: .*99/);
    expect(Object.keys(checks)).not.toContain('relay');
  } finally {
    await server.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}, 150_000);
