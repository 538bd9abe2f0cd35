import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dataKeyLength, serviceSubject, type KeyStore } from './keys.js';

export interface KeyStoreUnderTest {
  /** Opens one more connection to the same keys, as another process would. */
  open(): Promise<KeyStore>;
}

/** What every key store promises. Subjects are fresh in each test; a store need not be empty. */
export function keyStoreContract(name: string, underTest: KeyStoreUnderTest): void {
  describe(`key store: ${name}`, () => {
    const opened: KeyStore[] = [];
    let keys: KeyStore;

    async function open(): Promise<KeyStore> {
      const store = await underTest.open();
      opened.push(store);
      return store;
    }

    beforeEach(async () => {
      keys = await open();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((store) => store.close()));
    });

    const fresh = (): string => `subject-${randomUUID()}`;

    test('a subject has no key until one is created', async () => {
      expect(await keys.find(fresh())).toBeUndefined();
    });

    test('a created key is 32 bytes, stays the same and is its subject’s own', async () => {
      const [one, other] = [fresh(), fresh()];
      const key = await keys.create(one);
      expect(key).toHaveLength(dataKeyLength);
      expect(await keys.find(one)).toEqual(key);
      expect(await keys.create(one)).toEqual(key);
      expect(await keys.create(other)).not.toEqual(key);
    });

    test('a key is there for whoever else opens the store', async () => {
      const subject = fresh();
      const key = await keys.create(subject);
      const later = await open();
      expect(await later.find(subject)).toEqual(key);
    });

    test('of many creators at once all get the same key', async () => {
      const stores = [keys, ...(await Promise.all(Array.from({ length: 3 }, open)))];
      const subject = fresh();
      const made = await Promise.all(Array.from({ length: 20 }, (_, index) => stores[index % 4]!.create(subject)));
      expect(new Set(made.map((key) => Buffer.from(key!).toString('hex'))).size).toBe(1);
      expect(await keys.find(subject)).toEqual(made[0]);
    });

    test('of many who make the service key at once: whoever makes it first, all have the same', async () => {
      const stores = [keys, ...(await Promise.all(Array.from({ length: 3 }, open)))];
      const made = await Promise.all(
        Array.from({ length: 8 }, (_, index) => stores[index % 4]!.create(serviceSubject)),
      );
      expect(made[0]).toHaveLength(dataKeyLength);
      for (const key of made) expect(key).toEqual(made[0]);
      expect(await (await open()).find(serviceSubject)).toEqual(made[0]);
    });

    test('a destroyed key is gone for everyone, and the subject gets no other', async () => {
      const subject = fresh();
      await keys.create(subject);
      const other = await open();
      await keys.destroy(subject);
      for (const store of [keys, other, await open()]) {
        expect(await store.find(subject)).toBeUndefined();
        expect(await store.create(subject)).toBeUndefined();
      }
    });

    test('destroying again, or what never was, is silence and leaves no way to a key', async () => {
      const subject = fresh();
      await keys.destroy(subject);
      await keys.destroy(subject);
      expect(await keys.create(subject)).toBeUndefined();
    });

    test('destroying one key leaves the others', async () => {
      const [one, other] = [fresh(), fresh()];
      await keys.create(one);
      const key = await keys.create(other);
      await keys.destroy(one);
      expect(await keys.find(other)).toEqual(key);
    });

    test('up to which event erasures are carried out is remembered as it was noted last', async () => {
      const events = [7, 2 ** 40].map((position) => ({ id: fresh(), stream: 'order-o1', revision: 3, position }));
      for (const event of events) {
        await keys.noteErasedUpTo(event);
        expect(await keys.erasedUpTo()).toEqual(event);
        expect(await (await open()).erasedUpTo()).toEqual(event);
      }
    });

    test('creators that race with a destruction end without a key', async () => {
      const second = await open();
      const subject = fresh();
      await Promise.all([
        keys.create(subject),
        second.create(subject),
        keys.destroy(subject),
        second.create(subject),
        keys.create(subject),
      ]);
      expect(await keys.find(subject)).toBeUndefined();
      expect(await second.create(subject)).toBeUndefined();
    });
  });
}
