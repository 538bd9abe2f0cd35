import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { SnapshotStore, StoredSnapshot } from './snapshots.js';

export interface SnapshotStoreUnderTest {
  /** Opens one more connection to the same snapshots, as another process would. */
  open(): Promise<SnapshotStore>;
}

/** What every store of snapshots promises. Streams are fresh in each test; a store need not be empty. */
export function snapshotStoreContract(name: string, underTest: SnapshotStoreUnderTest): void {
  describe(`snapshots: ${name}`, () => {
    const opened: SnapshotStore[] = [];
    let snapshots: SnapshotStore;
    let stream = '';

    async function open(): Promise<SnapshotStore> {
      const store = await underTest.open();
      opened.push(store);
      return store;
    }

    beforeEach(async () => {
      snapshots = await open();
      stream = `delivery-${randomUUID()}`;
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((store) => store.close()));
    });

    const at = (revision: number, change: Partial<StoredSnapshot> = {}): StoredSnapshot => ({
      revision,
      schemaVersion: 1,
      text: `state at ${revision}`,
      ...change,
    });

    test('a stream has none until one is saved, and then its own', async () => {
      expect(await snapshots.load(stream)).toBeUndefined();
      await snapshots.save(stream, at(99));
      expect(await snapshots.load(stream)).toEqual(at(99));
      expect(await snapshots.load(`${stream}0`)).toBeUndefined();
    });

    test('what was saved is there for whoever else opens the store', async () => {
      await snapshots.save(stream, at(99));
      expect(await (await open()).load(stream)).toEqual(at(99));
    });

    test.each([
      ['nothing', ''],
      ['more than a page', '{"é":"\u{1F69A}"}'.repeat(50_000)],
      ['what other formats end at', 'a\u0000b\r\n\u2028'],
    ])('text comes back as it went: %s', async (_, text) => {
      await snapshots.save(stream, at(0, { text }));
      expect(await snapshots.load(stream)).toEqual(at(0, { text }));
    });

    test('a later one takes the place of an earlier one, and never the other way round', async () => {
      await snapshots.save(stream, at(99));
      await snapshots.save(stream, at(199));
      await snapshots.save(stream, at(150));
      await snapshots.save(stream, at(199, { text: 'again' }));
      expect(await snapshots.load(stream)).toEqual(at(199));
    });

    test('one of another schema version gives way, be it newer or older, later or earlier', async () => {
      const versions = [at(199, { schemaVersion: 2 }), at(99, { schemaVersion: 3 }), at(99, { schemaVersion: 1 })];
      for (const saved of versions) {
        await snapshots.save(stream, saved);
        expect(await snapshots.load(stream)).toEqual(saved);
      }
    });

    test('of many that save at once the latest stays', async () => {
      const stores = [snapshots, await open(), await open()];
      const revisions = Array.from({ length: 30 }, (_, index) => (index * 7) % 30);
      await Promise.all(revisions.map((revision, index) => stores[index % 3]!.save(stream, at(revision))));
      expect(await snapshots.load(stream)).toEqual(at(29));
    });

    test('a removed one is gone for everyone, others stay, and an earlier one can be saved', async () => {
      await snapshots.save(stream, at(99));
      await snapshots.save(`${stream}0`, at(5));
      await (await open()).remove(stream);
      expect(await snapshots.load(stream)).toBeUndefined();
      expect(await snapshots.load(`${stream}0`)).toEqual(at(5));
      await snapshots.save(stream, at(3));
      expect(await snapshots.load(stream)).toEqual(at(3));
    });

    test('removing what is not there is silence', async () => {
      await snapshots.remove(stream);
      await snapshots.remove(stream);
      expect(await snapshots.load(stream)).toBeUndefined();
    });
  });
}
