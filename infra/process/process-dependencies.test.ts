import { expect, test } from '@jest/globals';
import { KnownOutage, OutageBegun } from '../event-store/eventstoredb/outage.js';
import { processDependencies } from './process-dependencies.js';

test('what is quarantined is one line of the log and counts by projection', async () => {
  const { log, metrics, quarantined } = processDependencies({ level: 'warn' });
  const lines: unknown[] = [];
  log.warn = (...said: unknown[]): void => void lines.push(said);
  const event = { id: 'e1', stream: 'order-o1', type: 'OrderConfirmed' };
  const notice = { projection: 'fulfilment', key: 'o1', event, error: 'TypeError: no lines' };
  quarantined(notice);
  expect(lines).toEqual([[notice, 'quarantined']]);
  expect(await metrics.metrics()).toContain('waybill_quarantined_total{projection="fulfilment"} 1\n');
});

test('an outage is one line as it begins and one as it ends, however many tell of it; each fault of it counts', async () => {
  const { log, metrics, report, recovered } = processDependencies({ level: 'warn' });
  const lines: unknown[] = [];
  log.warn = (...said: unknown[]): void => void lines.push(said);
  const of = 'event store';
  report(new OutageBegun(of, 'gone'), of);
  report(new KnownOutage(of, 'gone'), of);
  report(new KnownOutage(of, 'gone'), 'relay');
  // Another connection to the same server, such as a thread's.
  report(new OutageBegun(of, 'gone too'), of);
  report(new Error('broken'), of);
  recovered('back', of);
  recovered('back too', of);
  expect(lines).toEqual([
    [{ of }, 'gone'],
    [{ of }, 'broken'],
    [{ of }, 'back too'],
  ]);
  expect(await metrics.metrics()).toContain('waybill_faults_total{of="event store"} 4\n');
  expect(await metrics.metrics()).toContain('waybill_faults_total{of="relay"} 1\n');
  report(new OutageBegun(of, 'gone again'), of);
  expect(lines).toHaveLength(4);
});
