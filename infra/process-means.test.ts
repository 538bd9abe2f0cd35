import { expect, test } from '@jest/globals';
import { processMeans } from './process-means.js';

test('what is quarantined is one line of the log and counts by projection', async () => {
  const { log, metrics, quarantined } = processMeans({ level: 'warn' });
  const lines: unknown[] = [];
  log.warn = (...said: unknown[]): void => void lines.push(said);
  const event = { id: 'e1', stream: 'order-o1', type: 'OrderConfirmed' };
  const notice = { projection: 'fulfilment', key: 'o1', event, error: 'TypeError: no lines' };
  quarantined(notice);
  expect(lines).toEqual([[notice, 'quarantined']]);
  expect(await metrics.metrics()).toContain('waybill_quarantined_total{projection="fulfilment"} 1\n');
});
