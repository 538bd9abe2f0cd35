import { headOf } from './category-heads.js';
import type { RecordedEvent } from './message.js';
import type { Message } from './ports/broker.js';

export interface Followed {
  /** What comes next after the position, in order, each once. */
  readonly events: readonly RecordedEvent[];
  /** Position of what is missing before the next message, if there is one: it is in the log. */
  readonly missing?: number;
}

/**
 * Follows a partition's chain of messages of some categories from a position up to which all of these is applied.
 * Duplicates are silence, the order in which messages come is no matter, and a hole ends it. Messages of other
 * categories may be among them.
 */
export function followChain(position: number, categories: readonly string[], messages: readonly Message[]): Followed {
  const events: RecordedEvent[] = [];
  let end = position;
  for (const { event, previous } of inOrder(messages)) {
    if (event.position <= end) continue;
    // A link that ends below `end` is no hole: nothing of the categories lies between the two.
    const before = headOf(previous, categories);
    if (before > end) return { events, missing: before };
    events.push(event);
    end = event.position;
  }
  return { events };
}

function inOrder(messages: readonly Message[]): readonly Message[] {
  const sorted = messages.every(
    (message, index) => index === 0 || messages[index - 1]!.event.position <= message.event.position,
  );
  return sorted ? messages : messages.toSorted((a, b) => a.event.position - b.event.position);
}
