import type { RecordedEvent } from './message.js';
import type { Message } from './ports/broker.js';

export interface Followed {
  /** What comes next after the position, in order, each once. */
  readonly events: readonly RecordedEvent[];
  /** A message was there whose predecessor was not: what lies between is in the log. */
  readonly gap: boolean;
}

/**
 * Follows a partition's chain of messages from a position up to which everything is applied. Duplicates are silence,
 * the order in which messages come is no matter, and a hole ends it.
 */
export function followChain(position: number, messages: readonly Message[]): Followed {
  const events: RecordedEvent[] = [];
  let end = position;
  for (const { event, previous } of inOrder(messages)) {
    if (event.position <= end) continue;
    // `previous` below `end` is no hole: nothing of the partition lies between the two.
    if (previous > end) return { events, gap: true };
    events.push(event);
    end = event.position;
  }
  return { events, gap: false };
}

function inOrder(messages: readonly Message[]): readonly Message[] {
  const sorted = messages.every(
    (message, index) => index === 0 || messages[index - 1]!.event.position <= message.event.position,
  );
  return sorted ? messages : messages.toSorted((a, b) => a.event.position - b.event.position);
}
