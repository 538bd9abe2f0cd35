import { BACKWARDS, END, FORWARDS, type Direction, type EventData, type StreamingRead } from '@eventstore/db-client';
import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import { Unavailable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import {
  beginning,
  type Appended,
  type EventStore,
  type SubscriptionBatch,
} from '@waybill/shared-kernel/ports/event-store.js';
import { systemRandomness, systemTimer } from '../../clock/system.js';
import { assertAppendable, closedStore } from '../append.js';
import { Changes } from '../changes.js';
import { follow } from '../follow.js';
import { connectionTo, type Connection } from './connection.js';
import { ringFor } from './doorbell.js';
import { faultOf, isStreamNotFound, isWrongExpectedVersion } from './fault.js';
import { positionOf, readPositionOf } from './position.js';
import { expectedRevisionOf, revisionOf } from './revision.js';
import { collect, within } from './time-limit.js';
import { movedWireEventOf, recordedEventOf, wireEventOf } from './wire-event.js';

export interface EventStoreDbOptions {
  /** How long an append, or a read while nothing of it comes, may take before it is `Unavailable`. 1.5 s by default. */
  readonly patienceMs?: number;
  /** How often the subscription is compared with the log, in case it has died in silence. 2 s by default. */
  readonly watchMs?: number;
  /** Between attempts to subscribe again, or to read on for a subscriber. */
  readonly backOff?: BackOff;
  readonly timer?: Timer;
  readonly randomness?: Randomness;
  /** Told of each fault after which a subscription is tried again. */
  readonly report?: (fault: Error) => void;
}

/** A call is tried so often: the first one or two after a lost connection fail at once though the server is back. */
const tries = 3;
const betweenTries: BackOff = { first: 20, most: 100 };
/** Records asked for at once where more are wanted, or where there is no telling how many are not ours. */
const pageSize = 1_000;

/** The log in EventStoreDB. It connects when it is first used. Throws `BadConfiguration`. */
export function openEventStoreDb(connectionString: string, options: EventStoreDbOptions = {}): EventStoreDbEventStore {
  return new EventStoreDbEventStore(connectionTo(connectionString), options);
}

/**
 * The log in EventStoreDB 22.6 or newer. Rejects with `InvalidInput` for an append larger than the server takes.
 * A stream that was soft-deleted there is empty, and its revisions go on with the next append to no stream; one that
 * was tombstoned can neither be read nor appended to.
 */
export class EventStoreDbEventStore implements EventStore {
  readonly #connection: Connection;
  readonly #patienceMs: number;
  readonly #watchMs: number;
  readonly #backOff: BackOff;
  readonly #timer: Timer;
  readonly #randomness: Randomness;
  readonly #report: (fault: Error) => void;
  readonly #changes = new Changes();
  readonly #closing = new AbortController();
  #ringing: Promise<void> | undefined;

  constructor(connection: Connection, options: EventStoreDbOptions = {}) {
    this.#connection = connection;
    this.#patienceMs = options.patienceMs ?? 1_500;
    this.#watchMs = options.watchMs ?? 2_000;
    this.#backOff = options.backOff ?? { first: 50, most: 5_000 };
    this.#timer = options.timer ?? systemTimer;
    this.#randomness = options.randomness ?? systemRandomness;
    this.#report = options.report ?? (() => {});
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
    const { serverVersion } = await this.#ask((limitMs) => within(limitMs, this.#connection.client['capabilities']));
    return serverVersion;
  }

  /** When the server took the last of all its records, ours or not, RFC 3339 UTC; `undefined`: it has none. */
  async lastTakenAt(): Promise<string | undefined> {
    const { client, credentials } = this.#connection;
    const options = {
      fromPosition: END,
      maxCount: 1,
      direction: BACKWARDS,
      credentials,
      requiresLeader: true,
    } as const;
    const [last] = await this.#read(() => client.readAll(options));
    return last?.event?.created.toISOString();
  }

  async readStream(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#readStream(stream, BigInt(Math.max(0, from)), limit, FORWARDS);
  }

  async readStreamBackwards(stream: string, from: number, limit: number): Promise<readonly RecordedEvent[]> {
    if (from < 0) return [];
    return this.#readStream(stream, from === Infinity ? END : BigInt(from), limit, BACKWARDS);
  }

  async readAll(after: number, limit: number): Promise<readonly RecordedEvent[]> {
    return this.#readLog(after, limit, FORWARDS);
  }

  async readAllBackwards(before: number, limit: number): Promise<readonly RecordedEvent[]> {
    return before <= beginning ? [] : this.#readLog(before, limit, BACKWARDS);
  }

  async head(): Promise<number> {
    const [last] = await this.#readLog(Infinity, 1, BACKWARDS);
    return last?.position ?? beginning;
  }

  /** While the server cannot be reached it goes on trying, from where it is. */
  subscribe(after: number, limit: number, signal: AbortSignal): AsyncIterable<SubscriptionBatch> {
    this.#ringing ??= ringFor(
      {
        connection: this.#connection,
        head: () => this.head(),
        changes: this.#changes,
        timer: this.#timer,
        randomness: this.#randomness,
        watchMs: this.#watchMs,
        backOff: this.#backOff,
        report: this.#report,
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
    await this.#ringing;
    await this.#connection.client.dispose();
  }

  async #append<Event extends NewEvent>(
    stream: string,
    expectedRevision: number,
    events: readonly Event[],
    onTheWire: (event: Event) => EventData,
  ): Promise<Appended> {
    this.#assertOpen();
    assertAppendable(expectedRevision, events);
    const { client, credentials } = this.#connection;
    const wireEvents = events.map(onTheWire);
    const options = { expectedRevision: expectedRevisionOf(expectedRevision), credentials, requiresLeader: true };
    try {
      // An append whose outcome is unknown is asked for again, with the same ids at the same exact revision: if it was
      // stored, the server says again what it got. (With ANY it might store it twice.) It compares ids alone; ours
      // depend on what they stand for. `nextExpectedRevision` is, despite its name, that of the last event written.
      const { nextExpectedRevision, position } = await this.#ask((limitMs) =>
        within(limitMs, client.appendToStream(stream, wireEvents, { ...options, deadline: limitMs })),
      );
      return { revision: revisionOf(nextExpectedRevision), position: positionOf(position) };
    } catch (error) {
      if (!isWrongExpectedVersion(error)) throw error;
      // The server knows a repeat of an append or of its first events, but not of its last ones, which is one as well.
      const repeated = await this.#repeated(stream, expectedRevision, events);
      if (repeated !== undefined) return repeated;
      throw new WrongExpectedRevision(stream, expectedRevision, revisionOf(error.actualVersion));
    }
  }

  async #readStream(
    stream: string,
    fromRevision: bigint | typeof END,
    limit: number,
    direction: Direction,
  ): Promise<readonly RecordedEvent[]> {
    if (limit <= 0) return [];
    const { client, credentials } = this.#connection;
    const options = { fromRevision, maxCount: countOf(limit), direction, credentials, requiresLeader: true };
    try {
      const records = await this.#read(() => client.readStream(stream, options));
      return records.map(({ event }) => {
        const recorded = event === undefined ? undefined : recordedEventOf(event);
        if (recorded === undefined) throw new Error(`Stream ${stream} holds an event that another program wrote.`);
        return recorded;
      });
    } catch (error) {
      // Comes while reading, for a soft-deleted stream too.
      if (isStreamNotFound(error)) return [];
      throw error;
    }
  }

  /**
   * Events from a position, exclusive, where the server reads inclusively: so one more is asked for, and the one at the
   * position dropped. The server ignores filters in reading, so what is not ours is dropped here too, and a page of
   * nothing else is not the end.
   */
  async #readLog(from: number, limit: number, direction: Direction): Promise<readonly RecordedEvent[]> {
    const { client, credentials } = this.#connection;
    const isBeyond = (position: number, other: number) =>
      direction === FORWARDS ? position > other : position < other;
    const events: RecordedEvent[] = [];
    for (let [position, maxCount] = [from, Math.min(limit, pageSize) + 1]; events.length < limit; maxCount = pageSize) {
      const options = {
        fromPosition: readPositionOf(position),
        maxCount,
        direction,
        credentials,
        requiresLeader: true,
      };
      const page = await this.#read(() => client.readAll(options));
      for (const { event } of page) {
        const recorded = event === undefined ? undefined : recordedEventOf(event);
        if (recorded !== undefined && isBeyond(recorded.position, position)) events.push(recorded);
      }
      if (page.length < maxCount) break;
      position = positionOf(page.at(-1)?.event?.position);
    }
    return events.slice(0, limit);
  }

  /** Nothing when it is over. */
  async #readUntilItAnswers(after: number, limit: number, over: AbortSignal): Promise<readonly RecordedEvent[]> {
    const isOver = () => over.aborted;
    for (let failures = 0; !isOver(); failures += 1) {
      try {
        return await this.readAll(after, limit);
      } catch (error) {
        if (isOver()) break;
        if (!(error instanceof Unavailable)) throw error;
        this.#report(error);
        await this.#timer.sleep(backOffDelay(this.#backOff, failures, this.#randomness), over);
      }
    }
    return [];
  }

  /** What these events got when they were appended before, at these very revisions, if they were. */
  async #repeated(stream: string, expected: number, events: readonly NewEvent[]): Promise<Appended | undefined> {
    const recorded = await this.readStream(stream, expected + 1, events.length);
    const last = recorded.at(-1);
    const isRepeat = events.every(({ id }, index) => recorded[index]?.id === id);
    return isRepeat && last !== undefined ? { revision: last.revision, position: last.position } : undefined;
  }

  #read<T>(read: () => StreamingRead<T>): Promise<readonly T[]> {
    return this.#ask((limitMs) => collect(read(), limitMs));
  }

  /** Asks, and asks again if that may help, within the patience. Everything that is asked may be asked twice. */
  async #ask<T>(ask: (limitMs: number) => Promise<T>): Promise<T> {
    const until = performance.now() + this.#patienceMs;
    for (let failures = 0; ; failures += 1) {
      this.#assertOpen();
      try {
        return await ask(until - performance.now());
      } catch (error) {
        if (isWrongExpectedVersion(error) || isStreamNotFound(error)) throw error;
        const fault = faultOf(error);
        const delay = backOffDelay(betweenTries, failures, this.#randomness);
        const isHopeless = failures + 1 === tries || performance.now() + delay >= until;
        if (!(fault instanceof Unavailable) || isHopeless) throw fault;
        await this.#timer.sleep(delay);
      }
    }
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw closedStore();
  }
}

/** The server takes integers only. */
function countOf(limit: number): number {
  return Math.min(limit, Number.MAX_SAFE_INTEGER);
}
