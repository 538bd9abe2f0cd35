import { asError } from '@waybill/shared-kernel/as-error.js';
import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';

/** What one look found. */
export interface Check {
  readonly name: string;
  /** `skipped`: there was nothing to look at, or what it takes was not to be had. */
  readonly state: 'good' | 'warning' | 'bad' | 'skipped';
  readonly detail: string;
  /** What mends it, a sentence. */
  readonly mend?: string;
}

/** What is bad because something that is needed does not answer. */
interface DownCheck extends Check {
  readonly isDown: true;
}

export function good(name: string, detail: string): Check {
  return { name, state: 'good', detail };
}

export function warning(name: string, detail: string, mend: string): Check {
  return { name, state: 'warning', detail, mend };
}

export function bad(name: string, detail: string, mend: string): Check {
  return { name, state: 'bad', detail, mend };
}

export function skipped(name: string, detail: string): Check {
  return { name, state: 'skipped', detail };
}

export function down(name: string, detail: string, mend: string): DownCheck {
  return { name, state: 'bad', detail, mend, isDown: true };
}

/** How many things one check names. */
const mostNamed = 10;

/** Things in a sentence, the first of many. */
export function named(all: readonly string[]): string {
  const more = all.length > mostNamed ? `; and ${all.length - mostNamed} more` : '';
  return `${all.slice(0, mostNamed).join('; ')}${more}.`;
}

/** What a request over HTTP to it failed with. `variable`: says where it is. */
export function unanswered(name: string, where: string, error: unknown, variable: string): DownCheck {
  const said = asError(asError(error).cause ?? error).message;
  return down(name, `${where} does not answer: ${said}`, `Start it, or correct ${variable}.`);
}

export function isDown(check: Check): check is DownCheck {
  return 'isDown' in check;
}

/**
 * Looks, for so long at most. What the look throws is judged here: what cannot be reached is down, where `mend` says
 * what to do; other faults of ours name what mends them themselves.
 */
export async function looking(
  name: string,
  mend: string,
  limitMs: number,
  look: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  try {
    return await within(limitMs, look());
  } catch (error) {
    const said = asError(error).message;
    if (error instanceof Unavailable) return [down(name, said, mend)];
    if (error instanceof BadConfiguration) return [bad(name, said, 'Correct the variable.')];
    return [bad(name, said, mend)];
  }
}

function within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const tooLate = (): void => reject(new Unavailable('server', `There was no answer within ${limitMs} ms.`));
    const timer = setTimeout(tooLate, limitMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
