import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import type { MasterKeySource } from '../fitting-master-key.js';
import { openMongoDbKeyStore } from '../mongodb/key-store.js';
import type { RotatableKeyStore } from '../rotatable.js';
import { openSqliteKeyStore } from '../sqlite/key-store.js';

/** Where a store whose master key can be exchanged keeps its keys, so that other processes can open it too. */
export type KeyStorePlace = { readonly masterKeyFile: string } & (
  { readonly kind: 'sqlite'; readonly file: string } | { readonly kind: 'mongodb'; readonly url: string }
);

/** The master keys that a process is given. */
export type GivenMasterKeys = Pick<MasterKeySource, 'masterKeyText' | 'previousMasterKeyText'>;

export function openAt(place: KeyStorePlace, given: GivenMasterKeys, randomness: Randomness): RotatableKeyStore {
  const source = { ...given, masterKeyFile: place.masterKeyFile, randomness };
  return place.kind === 'sqlite'
    ? openSqliteKeyStore({ ...source, file: place.file })
    : openMongoDbKeyStore({ ...source, url: place.url });
}
