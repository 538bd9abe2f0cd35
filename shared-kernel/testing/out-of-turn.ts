import type { RecordedEvent } from '../message.js';

/** Events that say that they happened before the one they follow in their stream, or before what caused them. */
export function outOfTurn(log: readonly RecordedEvent[]): readonly string[] {
  const happened = new Map<string, string>();
  const found: string[] = [];
  for (const { id, stream, revision, type, occurredAt, causationId } of log) {
    for (const [of, earlier] of [
      ['the one before', happened.get(stream)],
      ['its cause', happened.get(causationId)],
    ]) {
      if (earlier !== undefined && occurredAt < earlier) {
        found.push(`${stream}@${revision} ${type}: ${occurredAt}, ${of}: ${earlier}`);
      }
    }
    happened.set(id, occurredAt).set(stream, occurredAt);
  }
  return found;
}
