import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { SteadyClock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import {
  beginning,
  largestPage,
  type LogHead,
  type LogPages,
  type LogPage,
} from '@waybill/shared-kernel/ports/event-store.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';

export interface LiveLookDependencies {
  readonly store: LogHead & LogPages;
  readonly clock: SteadyClock;
  readonly timer: Timer;
}

/** Who keeps aggregates of a category, told in the order of the log what the look finds. */
export interface LookFollower {
  readonly category: Category;
  see(event: RecordedEvent): void;
  /** Events of this stream may be gone, or one cannot be read. */
  doubt(stream: string): void;
  /** What was found up to now says nothing any more. */
  begin(): void;
}

/** The last event of ours that was met. */
type Anchor = Pick<RecordedEvent, 'id' | 'position'>;

/** How old a look may be for what is only looked at, milliseconds. */
const freshForMs = 100;

/** Between the beginnings of two looks, milliseconds: those who ask meanwhile share the next. */
const betweenMs = 10;

/** Pages of the log that a look reads at most: after a long quiet time reading a few streams costs less than what came since. */
const mostPages = 4;

/** Milliseconds without a look after one that failed. */
const restMs = 1_000;

/**
 * A process's own live look at the log: one reading of what came since the last serves all who ask meanwhile, so an
 * aggregate whose stream has not grown need not be read again. It looks when somebody asks, and never by itself. Each look
 * begins with the last event that the one before met, which bears out that the log is still the same. Where it is not, where
 * the log cannot be read, and where its end is too far away, it begins anew there, and whoever asked reads streams.
 */
export class LiveLook {
  readonly #dependencies: LiveLookDependencies;
  readonly #followers: LookFollower[] = [];
  /** `undefined`: it has not begun. */
  #through: number | undefined;
  /** The last event behind that of which this process knows, because it was read or appended here. */
  #known: Anchor | undefined;
  /** Position of a record behind which the next look reads, and the event of ours that comes first there. */
  #from: { readonly position: number; readonly anchor: Anchor | undefined } = {
    position: beginning,
    anchor: undefined,
  };
  /** When the last look that succeeded began. */
  #lookedAtMs = -Infinity;
  #beganAtMs = -Infinity;
  #failedAtMs = -Infinity;
  /** That looks now, and the one that has not begun. */
  #underWay: Promise<boolean> = Promise.resolve(true);
  #next: Promise<boolean> | undefined;

  constructor(dependencies: LiveLookDependencies) {
    this.#dependencies = dependencies;
  }

  /** Tells it from now on, until what this gives is called. */
  follow(follower: LookFollower): () => void {
    this.#followers.push(follower);
    return () => {
      const at = this.#followers.indexOf(follower);
      if (at >= 0) this.#followers.splice(at, 1);
    };
  }

  /** An event that is in the log: it must be there too when the look comes by, or the log is another. */
  note(event: Anchor): void {
    if (this.#through === undefined || event.position <= this.#through) return;
    if (event.position > (this.#known?.position ?? -Infinity)) this.#known = event;
  }

  /** Everything up to this position of the log was looked at; `undefined`: it has not begun, or begins anew. */
  get through(): number | undefined {
    return this.#through;
  }

  /** Looks, unless it has within the last tenth of a second. False: it could not. */
  async isFresh(): Promise<boolean> {
    const isRecent = this.#dependencies.clock.now() - this.#lookedAtMs <= freshForMs;
    return this.#through !== undefined && isRecent ? true : this.#look();
  }

  /** Looks, unless it has come to this position, at which there is an event. False: it could not, or the log does not show it. */
  async reaches(position: number): Promise<boolean> {
    const isThere = (): boolean => (this.#through ?? -Infinity) >= position;
    if (isThere()) return true;
    await this.#underWay;
    return isThere() || ((await this.#look()) && isThere());
  }

  /**
   * Takes a page of this process that was read behind a position by somebody else. It goes on with one that has the last
   * event that it met, or follows upon what it has looked at; one without that event where it stood is of another log.
   */
  take(after: number, page: LogPage): void {
    const { anchor } = this.#from;
    if (this.#through === undefined || after > this.#through) return;
    if (anchor === undefined) {
      if (after === this.#through) this.#moveOn(after, page);
    } else if (after < anchor.position && page.through >= anchor.position) {
      if (page.events.some(({ id }) => id === anchor.id)) this.#moveOn(after, page);
      else this.#beginAnew();
    } else if (after >= anchor.position) this.#moveOn(after, page);
  }

  #moveOn(after: number, page: LogPage): void {
    const through = this.#through;
    if (through === undefined || page.through < through) return;
    const known = this.#known;
    if (known !== undefined && known.position <= page.through) {
      if (!page.events.some(({ id, position }) => id === known.id && position === known.position)) {
        this.#beginAnew();
        return;
      }
      this.#known = undefined;
    }
    const isNew = ({ position }: { readonly position: number }): boolean => position > through;
    for (const event of page.events) if (isNew(event)) this.#tell(event.stream, (follower) => follower.see(event));
    for (const mark of page.marks) if (isNew(mark)) this.#tell(mark.stream, (follower) => follower.doubt(mark.stream));
    const [last, beforeLast] = [page.events.at(-1), page.events.at(-2)];
    if (last !== undefined) {
      const { id, position } = last;
      this.#from = { position: beforeLast?.position ?? after, anchor: { id, position } };
    }
    this.#through = page.through;
  }

  #tell(stream: string, what: (follower: LookFollower) => void): void {
    const category = categoryOf(stream);
    for (const follower of this.#followers) if (follower.category === category) what(follower);
  }

  /** One that begins after it was asked for. */
  #look(): Promise<boolean> {
    const { clock } = this.#dependencies;
    if (clock.now() - this.#failedAtMs < restMs) return Promise.resolve(false);
    this.#next ??= this.#inTurn();
    return this.#next;
  }

  async #inTurn(): Promise<boolean> {
    const { clock, timer } = this.#dependencies;
    await this.#underWay;
    const waitMs = this.#beganAtMs + betweenMs - clock.now();
    if (waitMs > 0) await timer.sleep(waitMs);
    this.#next = undefined;
    this.#beganAtMs = clock.now();
    this.#underWay = this.#readOn(this.#beganAtMs).catch(() => {
      // Whoever reads streams instead meets what is wrong with the log, and says it.
      this.#failedAtMs = clock.now();
      this.#beginAnew();
      return false;
    });
    return this.#underWay;
  }

  async #readOn(beganAtMs: number): Promise<boolean> {
    const { store } = this.#dependencies;
    if (this.#through === undefined) {
      const head = await store.head();
      this.#from = { position: head, anchor: undefined };
      this.#through = head;
    } else if (!(await this.#readToEnd(store))) {
      this.#beginAnew();
      return false;
    }
    this.#lookedAtMs = beganAtMs;
    return true;
  }

  /** False: it is another log than it was, or an older state of it, or its end is too far away. */
  async #readToEnd(store: LiveLookDependencies['store']): Promise<boolean> {
    let { position, anchor } = this.#from;
    const known = this.#known;
    for (let pages = 0; pages < mostPages; pages += 1) {
      const page = await store.readAll(position, largestPage);
      if (anchor !== undefined && page.events[0]?.id !== anchor.id) return false;
      this.#moveOn(position, page);
      if (this.#through === undefined) return false;
      if (page.isEnd) {
        if (known !== undefined && known.position > page.through) return false;
        // Nothing bears out that the log goes as far as it went.
        const isBare = anchor === undefined && page.events.length === 0;
        return !isBare || (await store.head()) >= position;
      }
      // What other programs write is not read again by the next look.
      this.#from = { position: page.through, anchor: undefined };
      ({ position, anchor } = this.#from);
      // Others have requests.
      await nextTurn();
    }
    return false;
  }

  #beginAnew(): void {
    if (this.#through === undefined) return;
    this.#through = undefined;
    this.#known = undefined;
    for (const follower of this.#followers) follower.begin();
  }
}
