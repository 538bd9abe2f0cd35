import { Unavailable } from './errors.js';
import { serviceSubject, type DataKeys } from './ports/keys.js';

/** The service key, made on first use. Rejects with `Unavailable` where it was destroyed. */
export async function serviceKeyOf(keys: DataKeys): Promise<Uint8Array> {
  const key = await keys.create(serviceSubject);
  if (key !== undefined) return key;
  throw new Unavailable('key store', 'The service key was destroyed. Restore a backup of the keys.');
}
