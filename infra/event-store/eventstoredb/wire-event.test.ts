import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { movedWireEventOf, recordedEventOf, wireEventOf, type Recorded } from './wire-event.js';

/** An event as the client hands it out after the server has taken it. */
function recorded(event: NewEvent, fields: Partial<Recorded> = {}): Recorded {
  const { id, type, data, metadata } = wireEventOf(event);
  return {
    streamId: 'order-1',
    id,
    type,
    revision: 7n,
    created: new Date('2026-01-02T03:04:05.678Z'),
    data: JSON.parse(JSON.stringify(data)) as unknown,
    metadata: JSON.parse(JSON.stringify(metadata)) as unknown,
    position: { commit: 4_711n, prepare: 4_711n },
    ...fields,
  };
}

/** Has every field there is. */
const full: Required<NewEvent> = {
  ...newEvent(),
  correlationId: randomUUID(),
  causationId: randomUUID(),
  actor: { sub: 'c-1', role: 'customer' },
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  request: { id: randomUUID(), hash: 'hash', subject: 'c-1' },
  imported: true,
};

describe('an event on the wire', () => {
  test('has its data as data, and its envelope as metadata with the names the server knows', () => {
    const { id, type, data, correlationId: $correlationId, causationId: $causationId, ...envelope } = full;
    const metadata = { ...envelope, $correlationId, $causationId };
    expect(wireEventOf(full)).toEqual({ id, type, contentType: 'application/json', data, metadata });
  });

  test.each([
    ['with everything', full],
    ['with what it must have', newEvent()],
  ])('%s comes back as it was', (_, event) => {
    const place = { stream: 'order-1', revision: 7, position: 4_711, recordedAt: '2026-01-02T03:04:05.678Z' };
    expect(recordedEventOf(recorded(event))).toEqual({ ...event, ...place });
  });

  test.each([
    ['with everything', full],
    ['with what it must have', newEvent()],
  ])('%s, moved from another log, keeps when that one took it', (_, event) => {
    const place = { stream: 'order-1', revision: 7, recordedAt: '2025-12-24T01:02:03.004Z' };
    const { metadata } = movedWireEventOf({ ...event, ...place, position: 12 });
    expect(recordedEventOf(recorded(event, { metadata: JSON.parse(JSON.stringify(metadata)) as unknown }))).toEqual({
      ...event,
      ...place,
      position: 4_711,
    });
  });

  test.each(['', 'order-1', '00000000-0000-0000-0000-000000000000', full.id.toUpperCase()])(
    'is refused with the id "%s"',
    (id) => expect(() => wireEventOf({ ...full, id })).toThrow(RangeError),
  );

  test('is not of our log when the server wrote it, or another program', () => {
    const others: Partial<Recorded>[] = [
      { streamId: '$settings' },
      { streamId: '$$order-1', type: '$metadata' },
      { type: '$>' },
      { metadata: undefined },
      { metadata: { $correlationId: 'a' } },
      { metadata: new Uint8Array([1]) },
    ];
    for (const fields of others) expect(recordedEventOf(recorded(full, fields))).toBeUndefined();
  });

  test('needs a position that a number can hold', () => {
    const commit = 2n ** 53n;
    expect(() => recordedEventOf(recorded(full, { position: { commit, prepare: commit } }))).toThrow(RangeError);
    expect(() => recordedEventOf(recorded(full, { position: undefined }))).toThrow('older than 22.6');
  });
});
