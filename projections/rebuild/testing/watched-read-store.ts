import type { KeepDependencies } from '../../projecting/keep-read-models.js';

type Store = KeepDependencies['readStore'];
type Method = keyof Store;

/**
 * A read store that tells of each call before it is made: what is answered takes the place of its arguments, what is
 * thrown that of the call.
 */
export function watchedReadStore(store: Store, before: (name: Method, asked: readonly unknown[]) => unknown): Store {
  return new Proxy(store, {
    get(target, name) {
      const method = Reflect.get(target, name, target) as unknown;
      if (typeof method !== 'function') return method;
      return async (...asked: unknown[]): Promise<unknown> => {
        const instead = (await before(name as Method, asked)) as unknown[] | undefined;
        return (await Reflect.apply(method, target, instead ?? asked)) as unknown;
      };
    },
  });
}
