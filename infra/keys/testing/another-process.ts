import { readFileSync } from 'node:fs';
import { systemRandomness } from '../../clock/system.js';
import { openAt, type GivenMasterKeys, type KeyStorePlace } from './key-store-place.js';

/** What another process is told, on its standard input: to rotate the keys, or to make or destroy that of a subject. */
export interface ToldOfKeys {
  readonly place: KeyStorePlace;
  readonly given: GivenMasterKeys;
  readonly create?: string;
  readonly destroy?: string;
}

const { place, given, create, destroy } = JSON.parse(readFileSync(0, 'utf8')) as ToldOfKeys;
const keys = openAt(place, given, systemRandomness);
if (create !== undefined) await keys.create(create);
else if (destroy !== undefined) await keys.destroy(destroy);
else await keys.rotate();
await keys.close();
