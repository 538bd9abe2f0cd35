import { setImmediate as nextTurn } from 'node:timers/promises';

/** Resolves in a turn of the event loop that is the caller's alone among those who ask the same. */
export type Turn = () => Promise<void>;

/** The turns of one who asks for long work. */
export type TurnsOf = (whose: string) => Turn;

/**
 * Gives each piece of long work a turn of the event loop of its own. However many do long work, everything else waits
 * for one piece at most. Those who wait are served in turns, a piece each, so nobody waits for all the work of another.
 */
export function oneATurn(): TurnsOf {
  /** Those who waited longest for a turn of theirs come first. */
  const waiting = new Map<string, (() => void)[]>();
  let isRunning = false;

  async function run(): Promise<void> {
    isRunning = true;
    for (let next = first(waiting); next !== undefined; next = first(waiting)) {
      const [whose, begins] = next;
      waiting.delete(whose);
      await nextTurn();
      begins.shift()!();
      const since = waiting.get(whose) ?? [];
      if (begins.length + since.length > 0) waiting.set(whose, [...begins, ...since]);
    }
    isRunning = false;
  }

  return (whose) => () =>
    new Promise((resolve) => {
      const theirs = waiting.get(whose);
      if (theirs === undefined) waiting.set(whose, [resolve]);
      else theirs.push(resolve);
      if (!isRunning) void run();
    });
}

function first<Key, Value>(map: ReadonlyMap<Key, Value>): readonly [Key, Value] | undefined {
  const { value, done } = map.entries().next();
  return done === true ? undefined : value;
}
