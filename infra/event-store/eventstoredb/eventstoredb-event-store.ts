import {
  BACKWARDS,
  END,
  FORWARDS,
  START,
  type Direction,
  type EventData,
  type Position,
  type StreamingRead,
} from '@eventstore/db-client';
import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import { StreamCut, StreamUnreadable, Unavailable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import {
  beginning,
  largestPage,
  type Appended,
  type Cut,
  type EventStore,
  type LogPage,
  type StreamMark,
} from '@waybill/shared-kernel/ports/event-store.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { retryUntilAborted } from '@waybill/shared-kernel/retry.js';
import { steadyClock } from '../../clock/steady.js';
import { systemRandomness, systemTimer } from '../../clock/system.js';
import { assertAppendable, closedStore } from '../append.js';
import { Changes } from '../changes.js';
import { follow } from '../follow.js';
import { requireNoGap } from '../stored-event.js';
import { askBeside } from './ask-beside.js';
import type { Connection } from './connection.js';
import { announceChanges } from './change-subscription.js';
import {
  faultOf,
  isAnswer,
  isUnreachable,
  isNoRecordsPosition,
  isStreamDeleted,
  isStreamNotFound,
  isWrongExpectedVersion,
} from './fault.js';
import { Nodes } from './nodes.js';
import { KnownOutage, Outage } from './outage.js';
import { positionOf, readPositionOf } from './position.js';
import { QuietSpans } from './quiet-spans.js';
import { expectedRevisionOf, revisionOf } from './revision.js';
import { isSoftDeletion, metadataStreamOf, streamMarkOf } from './stream-metadata.js';
import { StreamOwners } from './stream-owners.js';
import { collect, NoAnswer, within } from './time-limit.js';
import { faultIn, movedWireEventOf, recordedEventOf, wireEventOf, type Recorded } from './wire-event.js';

export interface EventStoreDbOptions {
  /** How long an append, or a read while nothing of it comes, may take before it is `Unavailable`. 1.5 s by default. */
  readonly answerTimeoutMs?: number;
  /** How often the subscription is compared with the log, in case it has died without an error. 2 s by default. */
  readonly watchMs?: number;
  /** Between attempts to subscribe again, or to read on for a subscriber. */
  readonly backOff?: BackOff;
  readonly timer?: Timer;
  readonly randomness?: Randomness;
  /** Called when the server is lost, once, and with each other fault after which a subscription is tried again. */
  readonly report?: (fault: Error) => void;
  /** Called, with a sentence, when the server answers again. */
  readonly recovered?: (text: string) => void;
}

/** How often it is looked what other programs have written, in a process that asks for the head of the log. */
const scoutEveryMs = 250;

/** A call is tried so often: the first one or two after a lost connection fail at once though the server is back. */
const tries = 3;
const betweenTries: BackOff = { first: 20, most: 100 };
/** With less time left than this a call is not tried again. */
const shortestTryMs = 20;

/** The log in EventStoreDB. It connects when it is first used. Throws `BadConfiguration`. */
export function openEventStoreDb(connectionString: string, options: EventStoreDbOptions = {}): EventStoreDbEventStore {
  return new EventStoreDbEventStore(new Nodes(connectionString), options);
}

/**
 * The log in EventStoreDB 22.6 or newer. Rejects with `InvalidInput` for an append larger than the server takes.
 * A stream that was soft-deleted there reads as empty, and its revisions go on with the next append to no stream; one
 * that was tombstoned can neither be read nor appended to.
 */
export class EventStoreDbEventStore implements EventStore {
  readonly #nodes: Nodes;
  readonly #answerTimeoutMs: number;
  readonly #watchMs: number;
  readonly #backOff: BackOff;
  readonly #timer: Timer;
  readonly #randomness: Randomness;
  readonly #report: (fault: Error) => void;
  readonly #outage: Outage;
  /** When the server answered last, by the steady clock. */
  #answeredAtMs = -Infinity;
  readonly #changes = new Changes();
  readonly #closing = new AbortController();
  readonly #owners = new StreamOwners(async (stream) => (await this.#firstLeft(stream))?.first);
  readonly #quiet = new QuietSpans();
  /** Looks at the log under way, which others that ask for the same may share. */
  readonly #looks = new Map<string, Promise<LogPage>>();
  #ringing: Promise<void> | undefined;
  #scouting: Promise<void> | undefined;
  /** Position of the last event of ours that was read since the change subscription began. */
  #lastMet = beginning;

  constructor(nodes: Nodes, options: EventStoreDbOptions = {}) {
    this.#nodes = nodes;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? 1_500;
    this.#watchMs = options.watchMs ?? 2_000;
    this.#backOff = options.backOff ?? { first: 50, most: 5_000 };
    this.#timer = options.timer ?? systemTimer;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#report = options.report ?? (() => {});
    this.#outage = new Outage(steadyClock, this.#report, options.recovered ?? (() => {}));
  }

  async append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended> {
    return this.#append(stream, expectedRevision, events, wireEventOf);
  }

  /**
   * Appends events of another log to the same stream, which keep the times at which that one took them. All else is as
   * with `append`.
   */
  async adopt(stream: string, expectedRevision: number, events: readonly RecordedEvent[]): Promise<Appended> {
    return this.#append(stream, expectedRevision, events, movedWireEventOf);
  }

  /** Of the server, such as `23.10.8`; `Unknown` where it does not say. */
  async serverVersion(): Promise<string> {
    const { serverVersion } = await this.#ask(({ client }, limitMs) => within(limitMs, client['capabilities']));
    return serverVersion;
  }

  /** When the server took the last of all its records, ours or not, RFC 3339 UTC; `undefined`: it has none. */
  async lastTakenAt(): Promise<string | undefined> {
    const [last] = await this.#readRecords(Infinity, 1, BACKWARDS);
    return last?.created.toISOString();
  }

  async readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#readStream(stream, BigInt(Math.max(0, from)), limit, FORWARDS);
  }

  async readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    if (from < 0) return [];
    return this.#readStream(stream, from === Infinity ? END : BigInt(from), limit, BACKWARDS);
  }

  async cutOf(stream: string): Promise<Cut | undefined> {
    const left = await this.#firstLeft(stream);
    // Unknown, or soft-deleted.
    if (left === undefined) return (await this.#isSoftDeleted(stream)) ? { firstRevision: undefined } : undefined;
    if (left.first === undefined) return { firstRevision: undefined };
    const firstRevision = Number(left.first.revision);
    return firstRevision === 0 ? undefined : { firstRevision };
  }

  /** Goes on behind what this process has looked through in vain. */
  async readAll(after: number, limit: number): Promise<LogPage> {
    const asked = `${after}/${limit}`;
    const underWay = this.#looks.get(asked);
    if (underWay !== undefined) {
      const page = await underWay.catch(() => undefined);
      // One that came to the end may have been there before what is asked for now was appended.
      if (page !== undefined && !page.isEnd) return page;
    }
    const look = this.#readOn(after, limit).finally(() => {
      if (this.#looks.get(asked) === look) this.#looks.delete(asked);
    });
    this.#looks.set(asked, look);
    return look;
  }

  async readAllBackwards(before: number, limit: number): Promise<LogPage> {
    if (before <= beginning) return { events: [], marks: [], through: before, isEnd: true };
    return this.#readLog(before, limit, BACKWARDS);
  }

  async recordAt(position: number): Promise<{ readonly id: string } | 'absent' | 'none'> {
    const options = { fromPosition: readPositionOf(position), maxCount: 1, direction: FORWARDS } as const;
    try {
      const [record] = await this.#read(({ client, credentials }) =>
        client.readAll({ ...options, credentials, requiresLeader: true }),
      );
      if (record?.event === undefined) return 'none';
      return positionOf(record.event.position) === position ? { id: record.event.id } : 'absent';
    } catch (error) {
      if (isNoRecordsPosition(error)) return 'none';
      throw error;
    }
  }

  async head(): Promise<number> {
    const [last] = await this.#readRecords(Infinity, 1, BACKWARDS);
    const head = last === undefined ? beginning : positionOf(last.position);
    this.#scouting ??= this.#scout(head);
    return head;
  }

  /** While the server cannot be reached it goes on trying, from where it is. */
  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<LogPage> {
    this.#ringing ??= announceChanges(
      {
        nodes: this.#nodes,
        head: () => this.head(),
        lastMet: () => this.#lastMet,
        forgetMet: () => (this.#lastMet = beginning),
        changes: this.#changes,
        timer: this.#timer,
        randomness: this.#randomness,
        watchMs: this.#watchMs,
        backOff: this.#backOff,
        report: (fault) => this.#reportOnce(isOfClient(fault) ? this.#outage.failed(fault) : fault),
      },
      this.#closing.signal,
    );
    const over = AbortSignal.any([signal, this.#closing.signal]);
    const log = { readAll: (from: number, count: number) => this.#readUntilItAnswers(from, count, over) };
    return follow(log, this.#changes, after, limit, over);
  }

  /** Subscriptions end. Appends under way are settled by the server's answer, or by the time-out. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#changes.close();
    await Promise.all([this.#ringing, this.#scouting]);
    await this.#nodes.close();
  }

  async #append<Event extends NewEvent>(
    stream: string,
    expectedRevision: number,
    events: readonly Event[],
    onTheWire: (event: Event) => EventData,
  ): Promise<Appended> {
    this.#assertOpen();
    assertAppendable(expectedRevision, events);
    const wireEvents = events.map(onTheWire);
    const options = { expectedRevision: expectedRevisionOf(expectedRevision), requiresLeader: true };
    try {
      // An append whose outcome is unknown is asked for again, with the same ids at the same exact revision: if it was
      // stored, the server says again what it got. (With ANY it might store it twice.) It compares ids alone; ours
      // depend on what they stand for. `nextExpectedRevision` is, despite its name, that of the last event written.
      const { nextExpectedRevision, position } = await this.#ask(({ client, credentials }, limitMs) => {
        const append = (deadline: number) =>
          client.appendToStream(stream, wireEvents, { ...options, credentials, deadline });
        return within(limitMs, askBeside(limitMs, append, isAnswer));
      });
      const revision = revisionOf(nextExpectedRevision);
      const first = revision - events.length + 1;
      // To no stream, and yet behind events that were deleted.
      if (first !== expectedRevision + 1) throw new StreamCut(stream, first);
      return { revision, position: await this.#positionOf(stream, revision, position) };
    } catch (error) {
      if (isStreamDeleted(error)) throw new StreamCut(stream, undefined);
      if (!isWrongExpectedVersion(error)) throw error;
      // The server knows a repeat of an append or of its first events, but not of its last ones, which is one as well.
      const repeated = await this.#repeated(stream, expectedRevision, events);
      if (repeated !== undefined) return repeated;
      throw new WrongExpectedRevision(stream, expectedRevision, revisionOf(error.actualVersion));
    }
  }

  /**
   * Of an event that was just acknowledged. The server does not say the position of a repeat that lies in a part that
   * was cut off. Rejects with `StreamCut` where the event cannot be read any more.
   */
  async #positionOf(stream: string, revision: number, position: Position | undefined): Promise<number> {
    if (position !== undefined) return positionOf(position);
    const [event] = await this.readStream(stream, revision, 1);
    if (event === undefined) throw new StreamCut(stream, undefined);
    return event.position;
  }

  async #readStream(
    stream: string,
    fromRevision: bigint | typeof END,
    limit: number,
    direction: Direction,
  ): Promise<readonly RecordedEvent[]> {
    if (limit <= 0) return [];
    const records = await this.#readRecordsOf(stream, fromRevision, limit, direction);
    const first = records[0]?.revision;
    if (direction === FORWARDS && fromRevision !== END && first !== undefined && first > fromRevision) {
      throw new StreamCut(stream, Number(first));
    }
    requireNoGap(
      stream,
      records.map(({ revision }) => Number(revision)),
    );
    return records.map((record) => {
      const event = recordedEventOf(record);
      if (event !== undefined) return event;
      throw new StreamUnreadable(stream, Number(record.revision), positionOf(record.position), faultIn(record));
    });
  }

  /** Empty for a stream that is unknown or soft-deleted. Rejects with `StreamCut` for one that was tombstoned. */
  async #readRecordsOf(
    stream: string,
    fromRevision: bigint | typeof END,
    limit: number,
    direction: Direction,
  ): Promise<readonly Recorded[]> {
    const options = { fromRevision, maxCount: countOf(limit), direction };
    try {
      const records = await this.#read(({ client, credentials }) =>
        client.readStream(stream, { ...options, credentials, requiresLeader: true }),
      );
      return records.flatMap(({ event }) => event ?? []);
    } catch (error) {
      // Comes while reading, for a soft-deleted stream too.
      if (isStreamNotFound(error)) return [];
      if (isStreamDeleted(error)) throw new StreamCut(stream, undefined);
      throw error;
    }
  }

  async #readOn(after: number, limit: number): Promise<LogPage> {
    const span = this.#quiet.at(after);
    if (span !== undefined) {
      const page = await this.#readLog(span.through, limit, FORWARDS, span.id).catch((error: unknown) => {
        if (isNoRecordsPosition(error)) return undefined;
        throw error;
      });
      if (page !== undefined) return page;
      this.#quiet.forget();
    }
    return this.#readLog(after, limit, FORWARDS);
  }

  /**
   * Reads on, from the head that was there as it began, what other programs write, so that whoever asks whether anything
   * of ours has come need not. Until `close`; never rejects.
   */
  async #scout(head: number): Promise<void> {
    const isOver = () => this.#closing.signal.aborted;
    for (let position = head; !isOver();) {
      await this.#timer.sleep(scoutEveryMs, this.#closing.signal);
      try {
        for (let isEnd = false; !isEnd && !isOver();)
          ({ through: position, isEnd } = await this.readAll(position, largestPage));
      } catch {
        // Whoever needs the log meets the same, and says so.
      }
    }
  }

  async #readLog(from: number, limit: number, direction: Direction): Promise<LogPage>;
  async #readLog(from: number, limit: number, direction: Direction, id: string): Promise<LogPage | undefined>;
  /** One look at the log: what is ours among its records. `undefined` where the record at `from` has not the id. */
  async #readLog(from: number, limit: number, direction: Direction, id?: string): Promise<LogPage | undefined> {
    const most = Math.min(limit, largestPage);
    // One more than is handed out, which comes only if there is more.
    const records = await this.#readRecords(from, most + 1, direction, id);
    if (records === undefined) return undefined;
    const isEnd = records.length <= most;
    const events: RecordedEvent[] = [];
    const marks: StreamMark[] = [];
    for (const record of isEnd ? records : records.slice(0, most)) {
      const event = recordedEventOf(record);
      if (event !== undefined) {
        events.push(event);
        this.#owners.note(record);
      } else {
        const mark = await this.#markOf(record);
        if (mark !== undefined) marks.push(mark);
      }
    }
    this.#lastMet = Math.max(this.#lastMet, events[0]?.position ?? beginning, events.at(-1)?.position ?? beginning);
    const last = records[Math.min(records.length, most) - 1];
    const through = last === undefined ? from : positionOf(last.position);
    if (direction === FORWARDS && last !== undefined) {
      const lastOfOurs = Math.max(from, events.at(-1)?.position ?? from, marks.at(-1)?.position ?? from);
      this.#quiet.note(lastOfOurs, through, last.id);
    }
    return { events, marks, through, isEnd };
  }

  async #readRecords(from: number, limit: number, direction: Direction): Promise<readonly Recorded[]>;
  async #readRecords(
    from: number,
    limit: number,
    direction: Direction,
    id?: string,
  ): Promise<readonly Recorded[] | undefined>;
  /**
   * Records from a position, exclusive, where the server reads inclusively: so one more is asked for, and the one at the
   * position dropped. The server ignores filters in reading, so what is not ours is among them. `undefined` where the
   * record at the position has not the id.
   */
  async #readRecords(
    from: number,
    limit: number,
    direction: Direction,
    id?: string,
  ): Promise<readonly Recorded[] | undefined> {
    const isFromEdge = from <= beginning || from === Infinity;
    const options = { fromPosition: readPositionOf(from), maxCount: isFromEdge ? limit : limit + 1, direction };
    const records = await this.#read(({ client, credentials }) =>
      client.readAll({ ...options, credentials, requiresLeader: true }),
    );
    // Nothing is resolved, so a link is its own record.
    const found = records.flatMap(({ event }) => event ?? []);
    const isThere = !isFromEdge && found[0] !== undefined && positionOf(found[0].position) === from;
    if (id !== undefined && !(isThere && found[0]?.id === id)) return undefined;
    return isThere ? found.slice(1) : found.slice(0, limit);
  }

  /** What a record that is no event of ours says about a stream of ours. */
  async #markOf(record: Recorded): Promise<StreamMark | undefined> {
    const said = streamMarkOf(record);
    if (said !== undefined) return (await this.#owners.isOurStream(said.stream)) === false ? undefined : said;
    if (categoryOf(record.streamId) === undefined || !(await this.#owners.isOurRecord(record))) return undefined;
    return {
      stream: record.streamId,
      position: positionOf(record.position),
      why: 'unreadable',
      revision: Number(record.revision),
      detail: faultIn(record),
    };
  }

  /** The first event that is left of a stream, if one is; `undefined` for a stream that is unknown or soft-deleted. */
  async #firstLeft(stream: string): Promise<{ readonly first: Recorded | undefined } | undefined> {
    const options = { fromRevision: START, maxCount: 1, direction: FORWARDS } as const;
    try {
      const [record] = await this.#read(({ client, credentials }) =>
        client.readStream(stream, { ...options, credentials, requiresLeader: true }),
      );
      return { first: record?.event };
    } catch (error) {
      if (isStreamNotFound(error)) return undefined;
      if (isStreamDeleted(error)) return { first: undefined };
      throw error;
    }
  }

  async #isSoftDeleted(stream: string): Promise<boolean> {
    const [metadata] = await this.#readRecordsOf(metadataStreamOf(stream), END, 1, BACKWARDS);
    return metadata !== undefined && isSoftDeletion(metadata);
  }

  /** Nothing when it is over. */
  async #readUntilItAnswers(after: number, limit: number, over: AbortSignal): Promise<LogPage> {
    const page = await retryUntilAborted(() => this.readAll(after, limit), over, {
      ...{ backOff: this.#backOff, timer: this.#timer, randomness: this.#randomness },
      failed: (fault) => {
        if (!(fault instanceof Unavailable)) throw fault;
        this.#reportOnce(fault);
      },
    });
    return page ?? { events: [], marks: [], through: after, isEnd: false };
  }

  /** What these events got when they were appended before, at these very revisions, if they were. */
  async #repeated(stream: string, expected: number, events: readonly NewEvent[]): Promise<Appended | undefined> {
    const from = BigInt(expected + 1);
    const recorded = (await this.#readRecordsOf(stream, from, events.length, FORWARDS)).map(recordedEventOf);
    const last = recorded.at(-1);
    const isRepeat = events.every(({ id }, index) => recorded[index]?.id === id);
    return isRepeat && last !== undefined ? { revision: last.revision, position: last.position } : undefined;
  }

  async #read<T>(read: (connection: Connection) => StreamingRead<T>): Promise<readonly T[]> {
    const found = await this.#ask((connection, limitMs) => collect(read(connection), limitMs));
    // One that `close` has ended looks like one that found nothing.
    this.#assertOpen();
    return found;
  }

  /** Asks, and asks again if that may help, within the time limit. Everything that is asked may be asked twice. */
  async #ask<T>(ask: (connection: Connection, limitMs: number) => Promise<T>): Promise<T> {
    const until = steadyClock.now() + this.#answerTimeoutMs;
    let before: Unavailable | undefined;
    for (let failures = 0; ; failures += 1) {
      this.#assertOpen();
      const { connection } = this.#nodes;
      const askedAtMs = steadyClock.now();
      try {
        const answer = await ask(connection, until - askedAtMs);
        this.#noteAnswer();
        return answer;
      } catch (error) {
        if (isAnswer(error)) {
          this.#noteAnswer();
          throw error;
        }
        const fault = faultOf(error);
        if (!(fault instanceof Unavailable)) throw fault;
        // That the time left for another try ran out says less than why the one before failed.
        const told = fault instanceof NoAnswer ? (before ?? fault) : fault;
        // One slow call is not an outage while others are answered.
        const isLost = fault instanceof NoAnswer ? this.#answeredAtMs < askedAtMs : isUnreachable(error);
        if (isLost && (fault instanceof NoAnswer || this.#nodes.areSeveral)) this.#nodes.leave(connection);
        const delayMs = backOffDelay(betweenTries, failures, this.#randomness);
        const mayTryAgain = failures + 1 < tries && steadyClock.now() + delayMs + shortestTryMs < until;
        if (mayTryAgain) await this.#timer.sleep(delayMs);
        before = told;
        // The sleep may have taken longer.
        if (mayTryAgain && steadyClock.now() + shortestTryMs < until) continue;
        throw isLost && !this.#closing.signal.aborted ? this.#outage.failed(told) : told;
      }
    }
  }

  #noteAnswer(): void {
    this.#answeredAtMs = steadyClock.now();
    this.#outage.answered();
  }

  #reportOnce(fault: Error): void {
    if (!(fault instanceof KnownOutage)) this.#report(fault);
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw closedStore();
  }
}

/** Whether the client said it, rather than this. */
function isOfClient(fault: Error): fault is Unavailable {
  return fault instanceof Unavailable && fault.cause !== undefined;
}

/** The server takes integers only. */
function countOf(limit: number): number {
  return Math.min(limit, Number.MAX_SAFE_INTEGER);
}
