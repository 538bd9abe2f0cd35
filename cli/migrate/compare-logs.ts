import { createHash } from 'node:crypto';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { beginning, largestPage, type LogPages } from '@waybill/shared-kernel/ports/event-store.js';
import { differingFields, textOf } from './event-text.js';

/** Which event it is, for people. */
export interface EventName {
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
}

export interface LogDifference {
  /** Which event of the log, from 1. */
  readonly number: number;
  readonly source: EventName | null;
  readonly target: EventName | null;
  /** The fields that differ, where it is the same event. */
  readonly fields: readonly string[];
}

export interface Comparison {
  /** So many events, from the first on, are the same in both. */
  readonly equal: number;
  /** Position of the last of them in the source. */
  readonly position: number;
  /** Digests of those events as each log has them: SHA-256 of their texts, a line each; hexadecimal. */
  readonly digests: { readonly source: string; readonly target: string };
  /** Whether the target ends there and the source goes on. */
  readonly isPrefix: boolean;
  /** What the target has that the source has not, or in another form. */
  readonly difference: LogDifference | null;
}

/** A log from its beginning, page by page. */
class Pages {
  #position = beginning;
  #page: readonly RecordedEvent[] = [];
  #taken = 0;
  #isEnd = false;

  constructor(private readonly log: LogPages) {}

  /** How many events are at hand; 0 at the end of the log. */
  async fill(): Promise<number> {
    while (this.#taken === this.#page.length && !this.#isEnd) {
      const page = await this.log.readAll(this.#position, largestPage);
      this.#page = page.events;
      this.#position = page.through;
      this.#isEnd = page.isEnd;
      this.#taken = 0;
    }
    return this.#page.length - this.#taken;
  }

  take(): RecordedEvent {
    return this.#page[this.#taken++]!;
  }
}

/**
 * Reads both logs side by side, from their beginnings to the end of one or to the first difference, and compares each
 * event in every field but its position. `advance` is called with the source's position.
 */
export async function compareLogs(
  source: LogPages,
  target: LogPages,
  advance: (position: number) => void = () => undefined,
): Promise<Comparison> {
  const [sources, targets] = [new Pages(source), new Pages(target)];
  const [sourceHash, targetHash] = [createHash('sha256'), createHash('sha256')];
  let [equal, position] = [0, beginning];
  const found = (isPrefix: boolean, difference: LogDifference | null): Comparison => ({
    equal,
    position,
    digests: { source: sourceHash.digest('hex'), target: targetHash.digest('hex') },
    isPrefix,
    difference,
  });
  for (;;) {
    const [some, others] = await Promise.all([sources.fill(), targets.fill()]);
    if (others === 0) return found(some > 0, null);
    if (some === 0) return found(false, differenceOf(equal + 1, undefined, targets.take()));
    for (let left = Math.min(some, others); left > 0; left -= 1) {
      const [one, other] = [sources.take(), targets.take()];
      const [text, otherText] = [textOf(one), textOf(other)];
      if (text !== otherText) return found(false, differenceOf(equal + 1, one, other));
      sourceHash.update(text).update('\n');
      targetHash.update(otherText).update('\n');
      equal += 1;
      ({ position } = one);
    }
    advance(position);
  }
}

function differenceOf(number: number, source: RecordedEvent | undefined, target: RecordedEvent): LogDifference {
  const isSame = source?.stream === target.stream && source.revision === target.revision;
  return {
    number,
    source: source === undefined ? null : nameOf(source),
    target: nameOf(target),
    fields: isSame ? differingFields(source, target) : [],
  };
}

function nameOf({ stream, revision, id, type }: RecordedEvent): EventName {
  return { stream, revision, id, type };
}
