/** When a call is sent again beside those that are open, milliseconds after the first. */
const sendAfterMs = [150, 450, 1_050];
/** How long a refusal waits for the calls that are still open. */
const graceMs = 150;

/**
 * Asks, and asks again beside it where no answer comes; the first answer wins. For what may be asked twice: the server
 * drops a repeat that comes while its original is under way, without an answer, whoever sent that. The first call stays
 * open, as it may be an honest slow one. A refusal does not win at once against a call that may yet have succeeded.
 * Rejects with a refusal; where every call has failed, with how the last of them did. Nothing is sent after `limitMs`,
 * but it is for the caller to end the wait.
 */
export function askBeside<T>(
  limitMs: number,
  ask: (limitMs: number) => Promise<T>,
  isRefusal: (error: unknown) => boolean,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let open = 0;
    const timers: NodeJS.Timeout[] = [];
    const stop = () => timers.splice(0).forEach(clearTimeout);
    const send = (leftMs: number) => {
      open += 1;
      ask(leftMs).then(
        (answer) => {
          stop();
          resolve(answer);
        },
        (error: unknown) => {
          open -= 1;
          if (open > 0 && !isRefusal(error)) return;
          stop();
          if (open === 0) reject(error);
          else timers.push(setTimeout(() => reject(error), graceMs));
        },
      );
    };
    for (const afterMs of sendAfterMs) {
      if (afterMs < limitMs) timers.push(setTimeout(() => send(limitMs - afterMs), afterMs));
    }
    send(limitMs);
  });
}
