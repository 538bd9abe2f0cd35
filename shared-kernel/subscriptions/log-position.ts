import { LogMismatch } from '../errors.js';
import type { RecordedEvent } from '../message.js';
import { beginning, type LogPositions } from '../ports/event-store.js';

/** An event of ours by which a log is recognised: its position and its id. */
export type Anchor = readonly [position: number, id: string];

/**
 * How far a log was looked through, and which log that was. A number alone would fit any log, even another one or an
 * older state of this one restored from a backup. Storage format: the test holds a golden value.
 */
export interface LogPosition {
  /** Every record up to this position was looked at, ours or not. */
  readonly through: number;
  /**
   * Events of ours up to there, the latest first: the last one, others about 10, 100 and 1,000 events before it, and the
   * first. Several, because the last may have been truncated since. Empty: none was met yet.
   */
  readonly anchors: readonly Anchor[];
}

/** Nothing was looked at yet. It fits every log. */
export const logBeginning: LogPosition = { through: beginning, anchors: [] };

/** The position right behind one event, which is its only anchor. */
export function after({ position, id }: Pick<RecordedEvent, 'position' | 'id'>): LogPosition {
  return { through: position, anchors: [[position, id]] };
}

/** The later of two positions. */
export function further(one: LogPosition, other: LogPosition): LogPosition {
  return other.through > one.through ? other : one;
}

/** The earlier of two positions. */
export function nearer(one: LogPosition, other: LogPosition): LogPosition {
  return other.through < one.through ? other : one;
}

/** How many events before the last one anchors are wanted. */
const wantedAges = [0, 10, 100, 1_000];

interface Mark {
  readonly anchor: Anchor;
  /** Which event it was, counted by the trail. */
  readonly number: number;
}

/**
 * A position on its way along the log, with what it needs to keep its anchors. Immutable: each step makes a new one.
 */
export class Trail {
  readonly through: number;
  readonly #first: Anchor | undefined;
  /** The latest first; of each span of ages, from a power of two to the next, the oldest one. */
  readonly #marks: readonly Mark[];
  readonly #count: number;

  private constructor(through: number, first: Anchor | undefined, marks: readonly Mark[], count: number) {
    this.through = through;
    this.#first = first;
    this.#marks = marks;
    this.#count = count;
  }

  static from({ through, anchors }: LogPosition): Trail {
    // What is stored does not say how old each is, but that is about what was wanted.
    const count = wantedAges.at(-1)!;
    const marks = anchors
      .slice(0, wantedAges.length)
      .map((anchor, index) => ({ anchor, number: count - wantedAges[index]! }));
    return new Trail(through, anchors.at(-1), marks, count);
  }

  /** Where it is when records up to `through` were looked at, these of them events of ours, in the order of the log. */
  pass(events: readonly Pick<RecordedEvent, 'position' | 'id'>[], through: number): Trail {
    if (through <= this.through) return this;
    const found = events.filter(({ position }) => position > this.through && position <= through);
    const [first] = found;
    if (first === undefined) return new Trail(through, this.#first, this.#marks, this.#count);
    const count = this.#count + found.length;
    const added: Mark[] = [];
    for (const age of wantedAges) {
      const event = found[found.length - 1 - age];
      if (event !== undefined) added.push({ anchor: [event.position, event.id], number: count - age });
    }
    const marks = thinned([...added, ...this.#marks], count);
    return new Trail(through, this.#first ?? [first.position, first.id], marks, count);
  }

  position(): LogPosition {
    const anchors: Anchor[] = [];
    for (const age of wantedAges) {
      const mark = this.#marks.find(({ number }) => this.#count - number >= age);
      if (mark !== undefined && anchors.at(-1)?.[0] !== mark.anchor[0]) anchors.push(mark.anchor);
    }
    if (this.#first !== undefined && anchors.at(-1)?.[0] !== this.#first[0]) anchors.push(this.#first);
    return { through: this.through, anchors };
  }
}

function thinned(marks: readonly Mark[], count: number): readonly Mark[] {
  const kept = new Map<number, Mark>();
  for (const mark of marks) {
    const span = Math.floor(Math.log2(count - mark.number + 1));
    if (span <= oldestSpan) kept.set(span, mark);
  }
  return [...kept.values()].sort((left, right) => right.number - left.number);
}

const oldestSpan = Math.ceil(Math.log2(2 * wantedAges.at(-1)!));

/** A position as it was at an earlier point: what is stored of it must not name events behind that. */
export function cutAt({ through, anchors }: LogPosition, end: number): LogPosition {
  return { through: Math.min(through, end), anchors: anchors.filter(([position]) => position <= end) };
}

/**
 * Whether a position belongs to a log (`fits`), to another log or a later state of it (`differs`), or is undecidable.
 */
export type Fit = 'fits' | 'differs' | 'unknown';

export interface Judgement {
  readonly fit: Fit;
  /** The last event of it that this log has too: up to there both are the same. `undefined`: none is known. */
  readonly shared: Anchor | undefined;
  /** What speaks against it, in a few words. */
  readonly why?: string;
}

/** A position that was judged, as far as it is of the log: where both are still the same. */
export function sharedPart(position: LogPosition, { fit, shared }: Judgement): LogPosition {
  if (fit === 'fits') return position;
  return shared === undefined ? logBeginning : cutAt(position, shared[0]);
}

/**
 * Compares a position with a log. It fits if all its anchors are there.
 *
 * - An anchor without a record, in a log that goes on, was truncated: the other anchors decide.
 * - So they do for an anchor whose record cannot be read. If there is no other, that record counts as the anchor's
 *   event: one unreadable event must not stop everybody who has met it.
 * - The position differs if another event is at an anchor, if the log ends before it, or if no record is at `through`.
 *
 * All anchors are checked. One that fits says nothing of earlier ones: a restored log that has grown again may have
 * been followed for a while.
 */
export async function judgePosition(log: LogPositions, { through, anchors }: LogPosition): Promise<Judgement> {
  if (through === beginning) return { fit: 'fits', shared: undefined };
  const head = await log.head();
  const ask = async (position: number) => (position > head ? 'none' : log.recordAt(position));
  const isMet = anchors[0]?.[0] === through;
  const [last, found] = await Promise.all([
    isMet ? undefined : ask(through),
    Promise.all(anchors.map(([position]) => ask(position))),
  ]);
  let why = head < through ? `it is at ${through}, and the log ends at ${head}` : undefined;
  if (last === 'none') why ??= `the log has no record at ${through}, up to which it has looked`;
  let shared: Anchor | undefined;
  for (const [index, anchor] of anchors.entries()) {
    const [position, id] = anchor;
    const record = found[index]!;
    if (record === 'absent' || record === 'unreadable') continue;
    if (record !== 'none' && record.id === id) {
      shared ??= anchor;
      continue;
    }
    why ??= `the log has ${record === 'none' ? 'no record' : 'another event'} at ${position}, where it has met ${id}`;
    shared = undefined;
  }
  if (why !== undefined) return { fit: 'differs', shared, why };
  if (shared !== undefined) return { fit: 'fits', shared };
  // A position that has met no event of ours has no anchor; it only says how far it looked.
  if (anchors.length === 0 || found.includes('unreadable')) return { fit: 'fits', shared: undefined };
  return {
    fit: 'unknown',
    shared: undefined,
    why: 'the log has none of the events any more by which it could be told',
  };
}

/**
 * Whether a position that was held to the log before may move on in it: the last event that it has met is there, and the
 * record up to which it looked. To be asked before each step, which brings anchors of the log as it is now.
 */
export async function mayMoveOn(log: LogPositions, position: LogPosition): Promise<boolean> {
  const { through, anchors } = position;
  if (through === beginning) return true;
  const [met] = anchors;
  const [last, found] = await Promise.all([
    met?.[0] === through ? undefined : log.recordAt(through),
    met === undefined ? undefined : log.recordAt(met[0]),
  ]);
  const isThere = found === undefined || (typeof found === 'object' && found.id === met?.[1]);
  return (last !== 'none' && isThere) || (await judgePosition(log, position)).fit === 'fits';
}

/** What speaks against those that are not of this log. */
export async function misfits(log: LogPositions, positions: readonly LogPosition[]): Promise<readonly string[]> {
  const judged = await Promise.all(positions.map((position) => judgePosition(log, position)));
  return judged.flatMap(({ fit, why }) => (fit === 'fits' ? [] : [why ?? fit]));
}

/** Throws `LogMismatch` unless the position is of this log. `what`: whose it is, as the subject of a sentence. */
export async function requireFit(log: LogPositions, position: LogPosition, what: string): Promise<void> {
  const { fit, why } = await judgePosition(log, position);
  if (fit !== 'fits') throw new LogMismatch(what, why ?? fit);
}
