import { describe, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { keyStoreContract } from '@waybill/shared-kernel/ports/keys.contract.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import { virtualClock } from '../clock/seeded.js';
import { steadyClock } from '../clock/steady.js';
import { systemRandomness } from '../clock/system.js';
import { cachedKeys } from './cached.js';
import { openMemoryKeyStore } from './memory/key-store.js';

const shared = cachedKeys(openMemoryKeyStore(systemRandomness), { maxKeys: 100, ttlMs: 60_000, clock: steadyClock });
keyStoreContract('cached', { open: () => Promise.resolve(shared) });

describe('cached keys', () => {
  const clock = virtualClock('2026-01-01T00:00:00Z');
  const store = openMemoryKeyStore(systemRandomness);
  const asked: string[] = [];
  const counted: KeyStore = {
    ...store,
    find: (subject) => {
      asked.push(subject);
      return store.find(subject);
    },
  };
  const askedOnce = async (work: () => Promise<unknown>): Promise<string[]> => {
    asked.length = 0;
    await work();
    return [...asked];
  };

  test('a key that was used is at hand until its time is over', async () => {
    const keys = cachedKeys(counted, { maxKeys: 10, ttlMs: 1_000, clock });
    const key = await keys.create('timed');
    clock.advance(999);
    expect(await askedOnce(() => keys.find('timed'))).toEqual([]);
    clock.advance(2);
    expect(await askedOnce(() => keys.find('timed'))).toEqual(['timed']);
    expect(await keys.find('timed')).toEqual(key);
  });

  test('no longer than its time after another process destroyed it', async () => {
    const keys = cachedKeys(counted, { maxKeys: 10, ttlMs: 1_000, clock });
    await keys.create('elsewhere');
    await store.destroy('elsewhere');
    clock.advance(1_001);
    expect(await keys.find('elsewhere')).toBeUndefined();
  });

  test('not at all once it was destroyed here', async () => {
    const keys = cachedKeys(counted, { maxKeys: 10, ttlMs: 1_000, clock });
    await keys.create('here');
    await keys.destroy('here');
    expect(await keys.find('here')).toBeUndefined();
  });

  test('nor when it was destroyed while it was being read', async () => {
    let answer!: () => void;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const slow: KeyStore = {
      ...store,
      find: async (subject) => {
        const key = await store.find(subject);
        await answered;
        return key;
      },
    };
    await store.create('meanwhile');
    const keys = cachedKeys(slow, { maxKeys: 10, ttlMs: 1_000, clock });
    const found = keys.find('meanwhile');
    await keys.destroy('meanwhile');
    answer();
    expect(await found).toBeDefined();
    expect(await keys.find('meanwhile')).toBeUndefined();
  });

  describe('while its destruction is pending', () => {
    /** A promise that is kept when it is let. */
    function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
      let open!: () => void;
      const passed = new Promise<void>((resolve) => {
        open = resolve;
      });
      return { passed, open };
    }

    /** A key at hand, in a store that destroys it and answers when it is let. */
    async function pending(subject: string, fault?: Error) {
      const [done, answered, found] = [gate(), gate(), gate()];
      let isReadSlow = false;
      const slow: KeyStore = {
        ...store,
        find: async (wanted) => {
          const isSlow = isReadSlow;
          const key = await store.find(wanted);
          if (isSlow) await found.passed;
          return key;
        },
        destroy: async (wanted) => {
          await done.passed;
          await store.destroy(wanted);
          await answered.passed;
          if (fault !== undefined) throw fault;
        },
      };
      const keys = cachedKeys(slow, { maxKeys: 10, ttlMs: 1_000, clock });
      await keys.create(subject);
      /** Reads it, but not from the cache, and has it when `found` opens. */
      const readSlowly = async (): Promise<Uint8Array | undefined> => {
        isReadSlow = true;
        const reading = keys.find(subject);
        isReadSlow = false;
        return reading;
      };
      return { keys, done, answered, found, readSlowly };
    }

    test('it is as the store has it, and not at hand any more', async () => {
      const { keys, done, answered } = await pending('pending');
      const destroyed = keys.destroy('pending');
      expect(await keys.find('pending')).toBeDefined();
      done.open();
      answered.open();
      await destroyed;
      expect(await keys.find('pending')).toBeUndefined();
    });

    test('nor when nobody hears yet that it is destroyed', async () => {
      const { keys, done, answered } = await pending('unheard');
      const destroyed = keys.destroy('unheard');
      done.open();
      await turns(5);
      expect(await keys.find('unheard')).toBeUndefined();
      answered.open();
      await destroyed;
    });

    test('nor when nobody ever hears of it', async () => {
      const { keys, done, answered } = await pending('lost', new Unavailable('key store', 'No answer.'));
      const destroyed = keys.destroy('lost');
      expect(await keys.find('lost')).toBeDefined();
      done.open();
      answered.open();
      await expect(destroyed).rejects.toThrow('No answer.');
      expect(await keys.find('lost')).toBeUndefined();
    });

    test('nor when who asked before has the answer meanwhile', async () => {
      const { keys, done, answered, found, readSlowly } = await pending('before');
      clock.advance(1_001);
      const reading = readSlowly();
      await turns(5);
      const destroyed = keys.destroy('before');
      found.open();
      expect(await reading).toBeDefined();
      done.open();
      await turns(5);
      expect(await keys.find('before')).toBeUndefined();
      answered.open();
      await destroyed;
    });

    test('nor when who asked meanwhile has the answer after it', async () => {
      const { keys, done, answered, found, readSlowly } = await pending('after');
      const destroyed = keys.destroy('after');
      const reading = readSlowly();
      await turns(5);
      done.open();
      answered.open();
      await destroyed;
      found.open();
      expect(await reading).toBeDefined();
      expect(await keys.find('after')).toBeUndefined();
    });
  });

  describe('while the store is down', () => {
    const bounds = { maxKeys: 10, ttlMs: 1_000, outageMs: 5_000, clock };
    let isDown = true;
    const failing: KeyStore = {
      ...counted,
      find: async (subject) => {
        if (isDown) {
          asked.push(subject);
          throw new Unavailable('key store', 'It is down.');
        }
        return counted.find(subject);
      },
    };

    test('a key at hand goes on, for a while, and the store is asked seldom', async () => {
      const keys = cachedKeys(failing, bounds);
      const key = await keys.create('outage');
      clock.advance(1_001);
      expect(await askedOnce(() => keys.find('outage'))).toEqual(['outage']);
      expect(await askedOnce(async () => expect(await keys.find('outage')).toEqual(key))).toEqual([]);
      clock.advance(5_000);
      await expect(keys.find('outage')).rejects.toBeInstanceOf(Unavailable);
    });

    test('one that is not at hand is not to be had', async () => {
      await expect(cachedKeys(failing, bounds).find('elsewhere')).rejects.toBeInstanceOf(Unavailable);
    });

    test('one that another process destroyed is gone once the store is back', async () => {
      const keys = cachedKeys(failing, bounds);
      await keys.create('back');
      clock.advance(1_001);
      await keys.find('back');
      await store.destroy('back');
      isDown = false;
      clock.advance(1_001);
      expect(await keys.find('back')).toBeUndefined();
      isDown = true;
      await expect(keys.find('back')).rejects.toBeInstanceOf(Unavailable);
    });
  });

  test('never more keys than it may hold', async () => {
    const keys = cachedKeys(counted, { maxKeys: 2, ttlMs: 1_000, clock });
    for (const subject of ['a', 'b', 'c']) await keys.create(subject);
    expect(await askedOnce(() => keys.find('c'))).toEqual([]);
    expect(await askedOnce(() => keys.find('a'))).toEqual(['a']);
  });
});
