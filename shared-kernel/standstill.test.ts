import { expect, test } from '@jest/globals';
import { Standstill, type Progress } from './standstill.js';

let now = 0;
const clock = { now: () => now };
const relay: Progress = { name: 'relay', position: 5, isUpToDate: false };

/** What is said when each of these is seen, four seconds apart. */
function said(...seen: readonly (readonly Progress[])[]): readonly Readonly<Record<string, string>>[] {
  const standstill = new Standstill(clock, 10_000);
  return seen.map((progresses) => {
    const found = standstill.look(progresses);
    now += 4_000;
    return found;
  });
}

test('what has something to do and does not move is named after a while', () => {
  const found = said([relay], [relay], [relay], [relay]);
  expect(found).toEqual([{}, {}, {}, { relay: 'It has not moved from position 5 for 12 s.' }]);
});

test('with its fault where that is known, and whether or not its position is', () => {
  const paused: Progress = { ...relay, position: undefined, fault: new Error('No queue.') };
  expect(said([paused], [paused], [paused], [paused]).at(-1)).toEqual({
    relay: 'It has not moved from position unknown for 12 s: No queue.',
  });
});

test('what moves, is up to date, or is somebody else’s in between, is not', () => {
  const moved = { ...relay, position: 6 };
  const done = { ...relay, isUpToDate: true };
  for (const between of [[moved], [done], []]) {
    expect(said([relay], [relay], between, [relay], [relay]).at(-1)).toEqual({});
  }
});

test('once it moves again nothing is said', () => {
  expect(said([relay], [relay], [relay], [relay], [{ ...relay, position: 6 }]).at(-1)).toEqual({});
});
