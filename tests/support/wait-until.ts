import { setTimeout as sleep } from 'node:timers/promises';

/** Between two questions to other processes, which need the processors too. Milliseconds. */
const pause = 50;
/** Only what will never come takes so long, on however slow a machine. Milliseconds. */
const answerTimeoutMs = 60_000;

/**
 * Asks other processes until the answer is neither `undefined` nor `false`, and gives it. A rejection counts as no
 * answer. Rejects, naming what was waited for and the last rejection, when it never comes.
 */
export async function waitUntil<T>(
  what: string,
  ask: () => Promise<T | false | undefined> | T | false | undefined,
): Promise<T> {
  const deadline = performance.now() + answerTimeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}.`, { cause });
    await sleep(pause);
  }
}
