import { expect, test } from '@jest/globals';
import type { Readiness } from '../http/pages/public-pages.js';
import { sayWhatIsMissing } from './say-what-is-missing.js';

const here: Readiness = { ready: true, checks: { 'event store': 'ok', broker: 'ok' } };
const noBroker: Readiness = { ready: false, checks: { 'event store': 'ok', broker: 'RabbitMQ does not answer.' } };
const nothing: Readiness = { ready: false, checks: { 'event store': 'It is down.', broker: 'RabbitMQ is away.' } };

/** What is said while each look finds the next of these. */
async function saidOf(...found: readonly Readiness[]): Promise<readonly string[]> {
  const said: string[] = [];
  const say = (level: string) => (first: object | string, sentence?: string) => {
    said.push([level, typeof first === 'string' ? first : `${sentence} ${JSON.stringify(first)}`].join(' '));
  };
  let looks = 0;
  const saying = sayWhatIsMissing(() => Promise.resolve(found[looks]!), {
    log: { info: say('info'), warn: say('warn') },
    timer: {
      sleep: () => {
        looks += 1;
        if (looks === found.length) saying.stop();
        return Promise.resolve();
      },
    },
  });
  await saying.stopped;
  return said;
}

test('while all is there, nothing is said', async () => {
  expect(await saidOf(here, here)).toEqual([]);
});

test('what is missing is said once, and that it came', async () => {
  expect(await saidOf(noBroker, noBroker, here, here)).toEqual([
    'warn Waiting for: broker. It goes on by itself. {"missing":{"broker":"RabbitMQ does not answer."}}',
    'info Everything that is needed is there.',
  ]);
});

test('what is missing besides is said too', async () => {
  expect(await saidOf(noBroker, nothing, noBroker)).toEqual([
    expect.stringContaining('Waiting for: broker.'),
    expect.stringContaining('Waiting for: event store, broker.'),
    expect.stringContaining('Waiting for: broker.'),
  ]);
});

test('a process that is being stopped says nothing of stores that it closed', async () => {
  const said: unknown[] = [];
  let answer: (found: Readiness) => void = () => undefined;
  const saying = sayWhatIsMissing(() => new Promise((resolve) => (answer = resolve)), {
    log: { info: (...words: unknown[]) => void said.push(words), warn: (...words: unknown[]) => void said.push(words) },
    timer: { sleep: () => Promise.resolve() },
  });
  saying.stop();
  answer(nothing);
  await saying.stopped;
  expect(said).toEqual([]);
});
