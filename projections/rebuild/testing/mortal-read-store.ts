import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { KeepDependencies } from '../../projecting/keep-read-models.js';

type Store = KeepDependencies['readStore'];

/** A read store as a process has it that dies: at one call, and from then on no call is made any more. */
export interface MortalReadStore {
  readonly store: Store;
  readonly isDead: boolean;
  /** It dies at the call so many calls from now, before that is made or just after, before its answer comes. */
  dieAt(calls: number, moment: 'before' | 'after'): void;
}

export function mortalReadStore(store: Store): MortalReadStore {
  let left = Infinity;
  let moment: 'before' | 'after' = 'before';
  const gone = (): Unavailable => new Unavailable('read store', 'The process is dead.');
  const mortal = new Proxy(store, {
    get(target, name) {
      const method = Reflect.get(target, name, target) as unknown;
      if (typeof method !== 'function') return method;
      return async (...asked: unknown[]): Promise<unknown> => {
        left -= 1;
        if (left < 0 || (left === 0 && moment === 'before')) throw gone();
        const answer = (await Reflect.apply(method, target, asked)) as unknown;
        if (left <= 0) throw gone();
        return answer;
      };
    },
  });
  return {
    store: mortal,
    get isDead() {
      return left <= 0;
    },
    dieAt(calls, when) {
      left = calls;
      moment = when;
    },
  };
}
