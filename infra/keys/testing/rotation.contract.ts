import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { dataKeyLength, serviceSubject } from '@waybill/shared-kernel/ports/keys.js';
import { systemRandomness } from '../../clock/system.js';
import type { RotatableKeyStore } from '../rotatable.js';
import type { ToldOfKeys } from './another-process.js';
import { openAt, type GivenMasterKeys, type KeyStorePlace } from './key-store-place.js';

/** Has another process do something, which is done when this returns. */
export function inAnotherProcess(told: ToldOfKeys): void {
  const program = fileURLToPath(new URL('./another-process.js', import.meta.url));
  execFileSync(process.execPath, [program], { input: JSON.stringify(told) });
}

/** Length of the nonce that is drawn as a key is wrapped, bytes. */
const nonceLength = 12;

/**
 * Randomness of a store in which something comes between what it reads and what it writes: as it wraps a key, once it
 * has wrapped so many.
 */
export function asKeyIsWrapped(work: () => void, wrapped = 0): Randomness {
  let nonces = 0;
  return {
    ...systemRandomness,
    bytes: (length) => {
      if (length === nonceLength) {
        nonces += 1;
        if (nonces === wrapped + 1) work();
      }
      return systemRandomness.bytes(length);
    },
  };
}

/** What every store promises whose master key can be exchanged. `emptyPlace`: of one that is new. */
export function rotationContract(name: string, emptyPlace: () => KeyStorePlace): void {
  describe(`rotation of the master key: ${name}`, () => {
    const [old, present] = ['old', 'new'].map(() => Buffer.from(systemRandomness.bytes(32)).toString('base64'));
    const withOld = { masterKeyText: old };
    const withNew = { masterKeyText: present };
    const withBoth = { ...withNew, previousMasterKeyText: old };
    const opened: RotatableKeyStore[] = [];
    let place: KeyStorePlace;

    const open = async (given: GivenMasterKeys, randomness = systemRandomness): Promise<RotatableKeyStore> => {
      const store = openAt(place, given, randomness);
      opened.push(store);
      return store;
    };
    beforeEach(() => {
      place = emptyPlace();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((store) => store.close()));
    });

    const subjects = [serviceSubject, ...Array.from({ length: 29 }, (_, index) => `subject-${index}`)];
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
      expect(await found(store)).toEqual(keys.map((key, index) => (subjects[index] === 'subject-7' ? undefined : key)));
    });

    test('that is done between the look at the master key and the storing of a key leaves none by the old one', async () => {
      await filled();
      const rotate = (): void => inAnotherProcess({ place, given: withBoth });
      const made = await (await open(withBoth, asKeyIsWrapped(rotate))).create('made-meanwhile');
      expect(made).toHaveLength(dataKeyLength);
      const store = await open(withNew);
      expect(await store.find('made-meanwhile')).toEqual(made);
      expect(await store.rotate()).toEqual({ wrappedAnew: 0 });
    });

    test('broken off at any moment nothing is lost, and the next one does the rest', async () => {
      const keys = await filled();
      for (const enough of [0, 1, 2, 12]) {
        let left = enough;
        const bytes = (length: number): Uint8Array => {
          if ((left -= 1) < 0) throw new Error('killed');
          return systemRandomness.bytes(length);
        };
        const breaking = await open(withBoth, { ...systemRandomness, bytes });
        await expect(breaking.rotate()).rejects.toThrow('killed');
        expect(await found(await open(withBoth))).toEqual(keys);
      }
      await (await open(withBoth)).rotate();
      expect(await found(await open(withNew))).toEqual(keys);
    });

    test('that two begin a store with at once is that of one, and the other is refused', async () => {
      const begin = (): void => inAnotherProcess({ place, given: withOld, create: 'nobody' });
      const find = async () => (await open(withNew, asKeyIsWrapped(begin))).find('somebody');
      await expect(find()).rejects.toThrow('is not the one that wraps the keys');
      expect(await (await open(withOld)).create('somebody')).toHaveLength(dataKeyLength);
    });

    test('takes the key that is to be exchanged', async () => {
      await filled();
      await expect((async () => (await open(withNew)).rotate())()).rejects.toThrow('WAYBILL_MASTER_KEY is not the one');
      const given = { ...withNew, previousMasterKeyText: 'nonsense' };
      await expect((async () => (await open(given)).rotate())()).rejects.toThrow(
        'WAYBILL_MASTER_KEY_PREVIOUS is not a key; it takes 32 bytes as base64.',
      );
    });
  });
}
