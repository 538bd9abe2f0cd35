import { describe, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { keyStoreContract } from '@waybill/shared-kernel/ports/keys.contract.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { virtualClock } from '../clock/seeded.js';
import { systemClock, systemRandomness } from '../clock/system.js';
import { cachedKeys } from './cached.js';
import { openMemoryKeyStore } from './memory/key-store.js';

const shared = cachedKeys(openMemoryKeyStore(systemRandomness), { maxKeys: 100, ttlMs: 60_000, clock: systemClock });
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
