import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { systemRandomness } from '../../clock/system.js';
import type { MasterKeySource } from '../fitting-master-key.js';
import type { RotatableKeyStore } from '../rotatable.js';

type Given = Pick<MasterKeySource, 'masterKeyText' | 'previousMasterKeyText'> & { readonly randomness: Randomness };

/** Makes an empty store, and gives how to open it, as other processes would, each with what it is given. */
export type EmptyStore = () => Promise<(given: Given) => Promise<RotatableKeyStore>>;

/** What every store promises whose master key can be exchanged. */
export function rotationContract(name: string, emptyStore: EmptyStore): void {
  describe(`rotation of the master key: ${name}`, () => {
    const [old, present] = ['old', 'new'].map(() => Buffer.from(systemRandomness.bytes(32)).toString('base64'));
    const withOld = { masterKeyText: old, randomness: systemRandomness };
    const withNew = { masterKeyText: present, randomness: systemRandomness };
    const withBoth = { ...withNew, previousMasterKeyText: old };
    const opened: RotatableKeyStore[] = [];
    let openStore: Awaited<ReturnType<EmptyStore>>;

    const open = async (given: Given): Promise<RotatableKeyStore> => {
      const store = await openStore(given);
      opened.push(store);
      return store;
    };
    beforeEach(async () => {
      openStore = await emptyStore();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((store) => store.close()));
    });

    const subjects = Array.from({ length: 30 }, (_, index) => `subject-${index}`);
    const found = (store: RotatableKeyStore) => Promise.all(subjects.map((subject) => store.find(subject)));
    async function filled(): Promise<readonly (Uint8Array | undefined)[]> {
      const store = await open(withOld);
      for (const subject of subjects) await store.create(subject);
      await store.destroy('subject-3');
      return found(store);
    }

    test('afterwards the new one opens every key and the old one none; those destroyed stay so', async () => {
      const keys = await filled();
      expect(await (await open(withBoth)).rotate()).toEqual({ wrappedAnew: subjects.length - 1 });
      const store = await open(withNew);
      expect(await found(store)).toEqual(keys);
      expect(await store.create('subject-3')).toBeUndefined();
      expect(await store.rotate()).toEqual({ wrappedAnew: 0 });
      const refusal = 'is not the one that wraps the keys';
      await expect((async () => (await open(withOld)).find('subject-1'))()).rejects.toThrow(refusal);
    });

    test('until it is done, whoever has both makes keys that whoever has the old one can open', async () => {
      await filled();
      const both = await open(withBoth);
      const key = await both.create('made-before');
      expect(await (await open(withOld)).find('made-before')).toEqual(key);
      await both.rotate();
      const after = await both.create('made-after');
      const store = await open(withNew);
      expect([await store.find('made-before'), await store.find('made-after')]).toEqual([key, after]);
    });

    test('beside those who make keys, use them and destroy them', async () => {
      const keys = await filled();
      const [rotating, working] = [await open(withBoth), await open(withBoth)];
      const more = Array.from({ length: 60 }, (_, index) => `more-${index}`);
      const [, made] = await Promise.all([
        rotating.rotate(),
        Promise.all(more.map((subject) => working.create(subject))),
        working.destroy('subject-7'),
      ]);
      expect(await rotating.rotate()).toEqual({ wrappedAnew: 0 });
      const store = await open(withNew);
      expect(await Promise.all(more.map((subject) => store.find(subject)))).toEqual(made);
      expect(await found(store)).toEqual(keys.map((key, index) => (index === 7 ? undefined : key)));
    });

    test('broken off at any moment nothing is lost, and the next one does the rest', async () => {
      const keys = await filled();
      for (const enough of [0, 1, 2, 12]) {
        let left = enough;
        const bytes = (length: number): Uint8Array => {
          if ((left -= 1) < 0) throw new Error('killed');
          return systemRandomness.bytes(length);
        };
        const breaking = await open({ ...withBoth, randomness: { ...systemRandomness, bytes } });
        await expect(breaking.rotate()).rejects.toThrow('killed');
        expect(await found(await open(withBoth))).toEqual(keys);
      }
      await (await open(withBoth)).rotate();
      expect(await found(await open(withNew))).toEqual(keys);
    });

    test('takes the key that is to be exchanged', async () => {
      await filled();
      await expect((async () => (await open(withNew)).rotate())()).rejects.toThrow('WAYBILL_MASTER_KEY is not the one');
      const given = { ...withNew, previousMasterKeyText: 'nonsense' };
      await expect((async () => (await open(given)).rotate())()).rejects.toThrow(
        'WAYBILL_MASTER_KEY_PREVIOUS is no key; it takes 32 bytes as base64.',
      );
    });
  });
}
