import { asError } from '../as-error.js';
import { partitionOf } from '../partitions/partition.js';
import { judgePosition, mayMoveOn, type LogPosition } from './log-position.js';
import type { Timer } from '../ports/clock.js';
import { beginning, largestPage, type EventStore, type LogPage, type LogReader } from '../ports/event-store.js';
import { categoryNameOf } from '../stream.js';

/** A consumer of a partition, as the watch sees it. */
export interface HeadFollower {
  readonly partition: number;
  readonly categories: ReadonlySet<string>;
  /** Now by its clock, milliseconds since 1970. */
  now(): number;
  /** How far it has looked, while it follows and is idle; else `undefined`, and the watch leaves it alone. */
  standing(): number | undefined;
  /** The same, with the events by which its log is known again. */
  position(): LogPosition | undefined;
  /** Whether it has a queue from which messages come. */
  isFed(): boolean;
  /** Moves it: nothing of its categories lies between its position and the end of this page of the log. */
  passOver(page: LogPage): void;
  /** It has handled everything up to a head of the log that was asked for at this time by its clock. */
  isLevelSince(askedAtMs: number): void;
  /** Has it read the log itself: no message brought it an event that is there, or the log may be another. */
  readLog(): void;
  /** Saves a position that it was moved to, if it has not. Never throws; soon rather than now. */
  save(): void;
}

export interface HeadWatchDependencies {
  readonly store: LogReader;
  readonly timer: Timer;
  /** Called when the log cannot be looked at, once until it can. */
  readonly report?: (fault: Error, of: string) => void;
}

/** Milliseconds between two looks. */
export const lookEveryMs = 1000;

/** Every so many looks the followers' positions are checked: whether this still is the log that they have read. */
const looksPerVerification = 10;

/** What the last look found of a follower. */
interface Found {
  /** Where it stood. */
  readonly position: number | undefined;
  /** Position of an event of its categories, or of a mark of one of their streams, that it had not handled. */
  readonly owed: number | undefined;
}

/**
 * Asks for the log's head once a second for all consumers of a process. It moves idle consumers over records that are
 * not of their categories, and reads those once for all of them. A consumer that misses an event, and has not got it by
 * message at the next look, is made to read the log itself. The watch hands out no events. So only the log says whether
 * a consumer is up to date: a slow, stopped or wrong relay or broker makes it late at most.
 */
export class HeadWatch {
  readonly #dependencies: HeadWatchDependencies;
  readonly #followers = new Map<HeadFollower, Found>();
  #nap = new AbortController();
  #isRunning = false;
  #isBlind = false;
  #looks = 0;

  constructor(dependencies: HeadWatchDependencies) {
    this.#dependencies = dependencies;
  }

  /** Watches for a follower until the returned function is called. */
  add(follower: HeadFollower): () => void {
    this.#followers.set(follower, { position: undefined, owed: undefined });
    if (!this.#isRunning) void this.#run();
    return () => {
      this.#followers.delete(follower);
      if (this.#followers.size === 0) this.#nap.abort();
    };
  }

  async #run(): Promise<void> {
    const { timer, report } = this.#dependencies;
    this.#isRunning = true;
    while (this.#followers.size > 0) {
      this.#nap = new AbortController();
      await timer.sleep(lookEveryMs, this.#nap.signal);
      try {
        await this.#look();
        this.#isBlind = false;
      } catch (error) {
        if (!this.#isBlind) report?.(asError(error), 'head of the log');
        this.#isBlind = true;
      }
    }
    this.#isRunning = false;
  }

  async #look(): Promise<void> {
    const askedAtMs = new Map([...this.#followers.keys()].map((follower) => [follower, follower.now()]));
    const head = await this.#dependencies.store.head();
    this.#looks += 1;
    const isDue = this.#looks % looksPerVerification === 0;
    if (isDue || this.#isBeyond(head)) {
      await this.#verify([...this.#followers.keys()], async (log, at) => (await judgePosition(log, at)).fit === 'fits');
    }
    const quiet = this.#quiet(head);
    // What they are moved over is of the log as it is now, and would speak for it ever after.
    await this.#verify(quiet, mayMoveOn);
    await this.#passOver(quiet, head);
    for (const [follower, askedMs] of askedAtMs) {
      const found = this.#followers.get(follower);
      if (found === undefined) continue;
      const position = follower.standing();
      if (position !== undefined && position >= head) follower.isLevelSince(askedMs);
      this.#followers.set(follower, { ...found, position });
      follower.save();
    }
  }

  /** Whether somebody stands behind the end of the log: perhaps by what came since the head was asked for. */
  #isBeyond(head: number): boolean {
    return [...this.#followers.keys()].some((follower) => (follower.standing() ?? beginning) > head);
  }

  /** Makes the followers read the log whose anchors are not in it. Most share anchors: each is read once. */
  async #verify(followers: readonly HeadFollower[], isOf: typeof mayMoveOn): Promise<void> {
    const { store } = this.#dependencies;
    const asked = new Map<number, ReturnType<EventStore['recordAt']>>();
    const log = {
      head: () => store.head(),
      recordAt: (position: number) => {
        const answer = asked.get(position) ?? store.recordAt(position);
        asked.set(position, answer);
        return answer;
      },
    };
    for (const follower of followers) {
      const position = follower.standing() === undefined ? undefined : follower.position();
      if (position !== undefined && !(await isOf(log, position))) follower.readLog();
    }
  }

  /** Those that stand before the head where they stood one look ago; whoever is owed something since then reads the log. */
  #quiet(head: number): readonly HeadFollower[] {
    return [...this.#followers].flatMap(([follower, { position, owed }]) => {
      const standing = follower.standing();
      this.#followers.set(follower, { position, owed: undefined });
      if (standing === undefined || standing >= head) return [];
      if (owed !== undefined && standing < owed) {
        follower.readLog();
        return [];
      }
      return standing === position ? [follower] : [];
    });
  }

  /** Reads from the lowest of them to the head, while there is one that it can move. */
  async #passOver(followers: readonly HeadFollower[], head: number): Promise<void> {
    let position = Math.min(...followers.map((follower) => follower.standing() ?? Infinity));
    for (let moving = followers; moving.length > 0 && position < head;) {
      const page = await this.#dependencies.store.readAll(position, largestPage);
      const last = lastPositions(page);
      moving = moving.filter((follower) => this.#pass(follower, page, last));
      if (page.isEnd) return;
      position = page.through;
    }
  }

  /** Whether it was moved, or need not be. */
  #pass(follower: HeadFollower, page: LogPage, last: LastPositions): boolean {
    const standing = follower.standing();
    const found = this.#followers.get(follower);
    if (standing === undefined || found === undefined) return false;
    if (standing >= page.through) return true;
    const owed = Math.max(
      beginning,
      ...[...follower.categories].flatMap((category) => [
        last.get(`${follower.partition}/${category}`) ?? beginning,
        last.get(category) ?? beginning,
      ]),
    );
    if (owed <= standing) {
      follower.passOver(page);
      return true;
    }
    this.#followers.set(follower, { ...found, owed });
    if (!follower.isFed()) follower.readLog();
    return false;
  }
}

/**
 * `<partition>/<category>` → position of the last event of it in a page; `<category>` → of the last mark of one of its
 * streams, whose partition only reading it tells.
 */
type LastPositions = ReadonlyMap<string, number>;

function lastPositions({ events, marks }: LogPage): LastPositions {
  const last = new Map(marks.map(({ stream, position }) => [categoryNameOf(stream), position]));
  for (const { partitionKey, stream, position } of events) {
    last.set(`${partitionOf(partitionKey)}/${categoryNameOf(stream)}`, position);
  }
  return last;
}
