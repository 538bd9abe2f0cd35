import { expect, test } from '@jest/globals';
import { StallDetector, WorkWatch, type Progress } from './stall-detector.js';
import { turns } from '../testing/turns.js';

let now = 0;
const clock = { now: () => now };
const relay: Progress = { name: 'relay', position: 5, isUpToDate: false };

/** What is said when each of these is seen, four seconds apart. */
function said(...seen: readonly (readonly Progress[])[]): readonly Readonly<Record<string, string>>[] {
  const stallDetector = new StallDetector(clock, 10_000);
  return seen.map((progresses) => {
    const found = stallDetector.look(progresses);
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

/** What is said at looks that are four seconds apart of a work that answers like this. */
async function saidOf(...answers: readonly (() => readonly Progress[] | Promise<readonly Progress[]>)[]) {
  let asked = 0;
  const watch = new WorkWatch(() => answers[asked++]!(), clock, 10_000);
  const said: (string | undefined)[] = [];
  for (let look = 0; look <= answers.length; look += 1) {
    said.push(watch.look());
    await turns();
    now += 4_000;
  }
  return { said, asked };
}

const at =
  (position: number, isUpToDate = false) =>
  (): readonly Progress[] => [{ ...relay, position, isUpToDate }];
const unknown = (): Promise<never> => Promise.reject(new Error('Gone.'));
const silent = (): Promise<never> => new Promise(() => {});

test('a work is judged by what it answers', async () => {
  const { said } = await saidOf(at(5, true), at(5), at(5), at(5), at(6), at(6));
  const sentence = 'relay: It has not moved from position 5 for 12 s.';
  expect(said).toEqual([undefined, undefined, undefined, undefined, sentence, undefined, undefined]);
});

test('one that cannot say is where it was, with something to do', async () => {
  const { said } = await saidOf(at(5, true), unknown, unknown, unknown, unknown);
  expect(said.at(-1)).toBe('relay: It has not moved from position 5 for 16 s: Gone.');
  const never = await saidOf(unknown, unknown, unknown, unknown);
  expect(never.said.at(-1)).toBe('work: It has not moved from position unknown for 12 s: Gone.');
});

test('neither can one that does not answer, and it is not asked a second time meanwhile', async () => {
  const { said, asked } = await saidOf(at(5, true), silent, silent, silent, silent);
  expect(said.at(-1)).toBe('relay: It has not moved from position 5 for 16 s: It does not say.');
  expect(asked).toBe(2);
});
