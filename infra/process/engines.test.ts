import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { readConfig } from './config.js';
import { openEventStore } from './engines.js';

const hour = 3_600_000;

test('a clock that jumps ahead for a moment does not enter the log, whose time never goes back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-engines-'));
  let ahead = 0;
  const clock = { time: () => new Date(Date.now() + ahead) };
  const store = openEventStore(readConfig({ WAYBILL_DATA: folder }), { clock });
  const began = new Date().toISOString();
  for (ahead of [0, hour, 0]) await store.append(freshStream(), noStream, [newEvent()]);
  const ended = new Date().toISOString();
  for (const { recordedAt } of await wholeLog(store)) {
    expect(recordedAt >= began && recordedAt <= ended).toBe(true);
  }
  await store.close();
  await rm(folder, { recursive: true });
});
