import { describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { showProgress } from './progress.js';

function collecting(isTTY: boolean) {
  const texts: string[] = [];
  const stream = {
    isTTY,
    columns: 80,
    write: (text: string) => texts.push(text),
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => true,
    on: () => undefined,
    off: () => undefined,
  };
  return { stream, texts };
}

describe('progress elsewhere than on a terminal', () => {
  test('is a plain line a tenth, at most one a second, and nothing within the first', () => {
    const { stream, texts } = collecting(false);
    const clock = virtualClock(0);
    const progress = showProgress(stream, 'Importing', clock);
    progress.advance(300, 1000);
    clock.advance(1_000);
    progress.advance(400, 1000);
    clock.advance(500);
    progress.advance(500, 1000);
    clock.advance(500);
    progress.advance(550, 1000);
    progress.advance(559, 1000);
    clock.advance(5_000);
    progress.advance(560, 1000);
    progress.advance(1000, 1000);
    progress.end();
    expect(texts).toEqual(['Importing: 40 %\n', 'Importing: 50 %\n', 'Importing: 100 %\n']);
  });
});

test('progress tells the rate and the time left where the rate is known', () => {
  const { stream, texts } = collecting(false);
  const clock = virtualClock(0);
  const lines = showProgress(stream, 'Replaying', clock);
  clock.advance(2_000);
  lines.advance(250, 1000, 12_345);
  expect(texts).toEqual(['Replaying: 20 %, 12,345 events/s, 6 seconds left\n']);

  const terminal = collecting(true);
  const bar = showProgress(terminal.stream, 'Replaying', clock);
  clock.advance(1_000);
  bar.advance(250, 1000, 12_345);
  bar.end();
  expect(terminal.texts.join('')).toMatch(/Replaying \[.*\] 25 %, 12,345 events\/s, .* left/);
});

describe('progress on a terminal', () => {
  test('is a bar after a second, and nothing for what is done sooner', () => {
    const quick = collecting(true);
    const clock = virtualClock(0);
    const short = showProgress(quick.stream, 'Importing', clock);
    short.advance(1000, 1000);
    short.end();
    expect(quick.texts).toEqual([]);

    const slow = collecting(true);
    const long = showProgress(slow.stream, 'Importing', clock);
    clock.advance(1_000);
    long.advance(500, 1000);
    long.end();
    expect(slow.texts.join('')).toMatch(/Importing \[.*\] 50 %/);
  });
});
