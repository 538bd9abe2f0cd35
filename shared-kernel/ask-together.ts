import type { Timer } from './ports/clock.js';
import type { ReadStore } from './ports/read-store.js';

type Checkpoints = Pick<ReadStore, 'relayCheckpoint'>;

/** Milliseconds for which an answer is passed on. */
const shared = 500;

/**
 * The relay's checkpoint for the consumers of one process: who asks while another's question is under way, or up to half
 * a second after it was asked, is given the same answer. What an older checkpoint says stays true, since a relay never
 * takes back what it gave to the broker and heads only rise; so a consumer that has passed it has done all that it
 * tells of, and one that has not has truly missed something. All that it costs is that a lost last message is found
 * that much later. A fault is told to those who wait for the answer and to nobody after them.
 */
export function askTogether(checkpoints: Checkpoints, timer: Timer): Checkpoints {
  let last: ReturnType<Checkpoints['relayCheckpoint']> | undefined;
  return {
    relayCheckpoint: () => {
      if (last !== undefined) return last;
      const asked = checkpoints.relayCheckpoint();
      const ended = new AbortController();
      const forget = (): void => {
        if (last === asked) last = undefined;
        ended.abort();
      };
      last = asked;
      asked.catch(forget);
      void timer.sleep(shared, ended.signal).then(forget);
      return asked;
    },
  };
}
