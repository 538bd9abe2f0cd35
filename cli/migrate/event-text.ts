import type { RecordedEvent } from '@waybill/shared-kernel/message.js';

/**
 * Everything of an event but its position, which is the store's own, as one text: equal texts are equal events. The
 * data stands in it as the log's JSON; fields of the envelope come by name, since stores give them in orders of their own.
 */
export function textOf({ position, ...event }: RecordedEvent): string {
  const fields = Object.entries(event).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(fields);
}

/** Names of the fields in which two events differ. */
export function differingFields(one: RecordedEvent, other: RecordedEvent): readonly string[] {
  const fields = (event: RecordedEvent): ReadonlyMap<string, string> =>
    new Map(Object.entries(event).map(([name, value]) => [name, JSON.stringify(value)]));
  const [ones, others] = [fields(one), fields(other)];
  const names = [...new Set([...ones.keys(), ...others.keys()])].filter((name) => name !== 'position');
  return names.filter((name) => ones.get(name) !== others.get(name)).sort();
}
