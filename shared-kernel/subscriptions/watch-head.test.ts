import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { RecordedEvent } from '../message.js';
import { partitionOf } from '../partitions/partition.js';
import type { LogPage } from '../ports/event-store.js';
import { manualTimer } from '../testing/manual-timer.js';
import { turns } from '../testing/turns.js';
import { HeadWatch, type HeadFollower } from './watch-head.js';
import type { Anchor, LogPosition } from './log-position.js';

const key = 'o1';
const partition = partitionOf(key);

/** A log of records, some of which are events of ours: their category. */
class Records {
  readonly categories: (string | undefined)[] = [];
  readonly asked: number[] = [];
  lookedUp = 0;
  isDown = false;

  async head(): Promise<number> {
    if (this.isDown) throw new Error('Down.');
    return this.categories.length;
  }

  readonly ids = new Map<number, string>();

  async recordAt(position: number): Promise<{ readonly id: string } | 'none'> {
    this.lookedUp += 1;
    return position > this.categories.length ? 'none' : { id: this.ids.get(position) ?? `event-${position}` };
  }

  async readAll(after: number, limit: number): Promise<LogPage> {
    this.asked.push(after);
    const through = Math.min(after + limit, this.categories.length);
    const events: RecordedEvent[] = [];
    for (let position = after + 1; position <= through; position += 1) {
      const category = this.categories[position - 1];
      if (category !== undefined) events.push(event(position, category));
    }
    return { events, marks: [], through, isEnd: through === this.categories.length };
  }
}

function event(position: number, category: string): RecordedEvent {
  return {
    id: `event-${position}`,
    type: 'OrderConfirmed',
    schemaVersion: 1,
    occurredAt: '2026-03-01T12:00:00.000Z',
    correlationId: 'c',
    causationId: 'c',
    partitionKey: key,
    data: {},
    stream: `${category}-${key}`,
    revision: position,
    position,
    recordedAt: new Date(position * 1000).toISOString(),
  };
}

class Follower implements HeadFollower {
  readonly partition: number;
  readonly categories: ReadonlySet<string>;
  at: number | undefined = 0;
  isAttached = true;
  saved: number | undefined;
  recordedAt: string | undefined;
  level: number | undefined;
  clock = 0;
  readings = 0;
  anchors: readonly Anchor[] = [];

  constructor(category = 'order', of = partition) {
    this.categories = new Set([category]);
    this.partition = of;
  }

  now = (): number => this.clock;
  standing = (): number | undefined => this.at;
  position = (): LogPosition | undefined =>
    this.at === undefined ? undefined : { through: this.at, anchors: this.anchors };
  isFed = (): boolean => this.isAttached;
  passOver = ({ events, through }: LogPage): void => {
    this.at = through;
    this.recordedAt = events.at(-1)?.recordedAt;
  };
  isLevelSince = (askedAtMs: number): void => {
    this.level = askedAtMs;
  };
  readLog = (): void => {
    this.readings += 1;
    this.at = undefined;
  };
  save = (): void => {
    this.saved = this.at;
  };
}

describe('the watch of the head', () => {
  const log = new Records();
  let timer = manualTimer();
  let faults: string[];
  let watch: HeadWatch;
  let leave: (() => void)[];

  beforeEach(() => {
    log.categories.length = 0;
    log.asked.length = 0;
    log.isDown = false;
    log.lookedUp = 0;
    log.ids.clear();
    timer = manualTimer();
    faults = [];
    leave = [];
    watch = new HeadWatch({ store: log, timer, report: ({ message }) => faults.push(message) });
  });
  afterEach(() => {
    for (const go of leave) go();
  });

  function follow(...followers: readonly Follower[]): void {
    leave.push(...followers.map((follower) => watch.add(follower)));
  }

  async function look(): Promise<void> {
    timer.elapse();
    await turns(20);
  }

  test('moves all that are quiet over what is not of their kind, with one reading from the lowest of them', async () => {
    const followers = [new Follower('payment'), new Follower('order', partition + 1), new Follower('delivery')];
    follow(...followers);
    await look();
    log.categories.push('order', undefined, 'order');
    followers[2]!.at = 1;
    await look();
    expect(followers.map(({ at }) => at)).toEqual([3, 3, 1]);
    expect(followers.map(({ saved }) => saved)).toEqual([3, 3, 1]);
    expect(followers[0]!.recordedAt).toBe(event(3, 'order').recordedAt);
    expect(log.asked).toEqual([0]);
    await look();
    expect(followers.map(({ at }) => at)).toEqual([3, 3, 3]);
    expect(log.asked).toEqual([0, 1]);
    await look();
    expect(log.asked).toEqual([0, 1]);
  });

  test('reads no log for who is elsewhere', async () => {
    const [reading, following] = [new Follower('payment'), new Follower('payment')];
    reading.at = undefined;
    log.categories.push(...Array<string>(5000).fill('order'));
    following.at = 4990;
    follow(reading, following);
    await look();
    await look();
    expect(following.at).toBe(5000);
    expect(log.asked).toEqual([4990]);
    expect(reading.level).toBeUndefined();
  });

  test('lets a message come until the next look; who has not had it then reads the log', async () => {
    const [fed, starved] = [new Follower(), new Follower()];
    follow(fed, starved);
    await look();
    log.categories.push('payment', 'order');
    await look();
    expect([fed.readings, starved.readings]).toEqual([0, 0]);
    fed.at = 2;
    await look();
    expect([fed.readings, starved.readings]).toEqual([0, 1]);
    await look();
    expect([fed.readings, starved.readings]).toEqual([0, 1]);
  });

  test('has who has no queue read the log at once', async () => {
    const alone = new Follower();
    alone.isAttached = false;
    follow(alone);
    await look();
    log.categories.push('order');
    await look();
    expect(alone.readings).toBe(1);
  });

  test('reads no further than while there is somebody to move', async () => {
    const follower = new Follower();
    follow(follower);
    await look();
    log.categories.push('order', ...Array<string>(5000).fill('payment'));
    await look();
    expect(log.asked).toEqual([0]);
  });

  test('tells who is level when the head was asked for, by the clock of each', async () => {
    const [level, behind] = [new Follower(), new Follower()];
    log.categories.push('order');
    level.at = 1;
    level.clock = 70;
    behind.clock = 80;
    follow(level, behind);
    await look();
    expect([level.level, behind.level]).toEqual([70, undefined]);
    level.clock = 60;
    await look();
    expect(level.level).toBe(60);
  });

  test('says once that the log cannot be looked at, and goes on when it can', async () => {
    const follower = new Follower();
    follow(follower);
    log.isDown = true;
    await look();
    await look();
    expect(faults).toEqual(['Down.']);
    log.isDown = false;
    log.lookedUp = 0;
    log.ids.clear();
    log.categories.push('payment');
    await look();
    await look();
    expect(follower.at).toBe(1);
    log.isDown = true;
    await look();
    expect(faults).toEqual(['Down.', 'Down.']);
  });

  test('has those look themselves who stand behind the end of the log', async () => {
    const [beyond, fitting] = [new Follower(), new Follower()];
    log.categories.push('order', 'order');
    follow(beyond, fitting);
    beyond.at = 5;
    fitting.at = 2;
    await look();
    expect([beyond.readings, fitting.readings]).toEqual([1, 0]);
  });

  test('holds those that follow to the log now and then, and asks once for what several know it by', async () => {
    log.categories.push('order', 'order', 'order');
    const followers = [new Follower(), new Follower(), new Follower()];
    for (const follower of followers) Object.assign(follower, { at: 3, anchors: [[3, 'event-3']] });
    follow(...followers);
    for (let looks = 0; looks < 10; looks += 1) await look();
    expect(log.lookedUp).toBe(1);
    expect(followers.map(({ readings }) => readings)).toEqual([0, 0, 0]);
    log.ids.set(3, 'another');
    for (let looks = 0; looks < 10; looks += 1) await look();
    expect(followers.map(({ readings }) => readings)).toEqual([1, 1, 1]);
  });

  test('moves nobody over a log that has become another since the last look; they look themselves', async () => {
    log.categories.push('payment', 'payment', 'payment');
    const [lost, borneOut] = [new Follower(), new Follower()];
    Object.assign(lost, { at: 3, anchors: [[3, 'event-3']] });
    Object.assign(borneOut, { at: 2, anchors: [[2, 'event-2']] });
    follow(lost, borneOut);
    await look();
    log.ids.set(3, 'another');
    log.categories.push('payment');
    await look();
    expect([lost.readings, lost.at]).toEqual([1, undefined]);
    expect([borneOut.readings, borneOut.at]).toEqual([0, 4]);
  });

  test('looks at nothing once everybody has left, and again for who comes', async () => {
    const follower = new Follower();
    const go = watch.add(follower);
    await turns(5);
    go();
    await turns(20);
    expect(timer.waits).toEqual([]);
    follow(follower);
    await turns(5);
    expect(timer.waits).toHaveLength(1);
  });
});
