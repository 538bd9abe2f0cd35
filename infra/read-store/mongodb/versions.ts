import type { CollectionVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { Collection, Db } from 'mongodb';
import { isDuplicate } from '../../mongodb/connection.js';

/** The versions of the collections of one name. */
interface StoredVersions {
  readonly _id: string;
  readonly revision: number;
  /** As JSON text. */
  readonly versions: string;
}

function storedIn(db: Db): Collection<StoredVersions> {
  return db.collection<StoredVersions>('versions');
}

export async function versionsIn(db: Db, name: string): Promise<CollectionVersions | undefined> {
  const stored = await storedIn(db).findOne({ _id: name });
  return stored === null ? undefined : (JSON.parse(stored.versions) as CollectionVersions);
}

/** Writes them after the revision before; whether they went in. */
export async function saveVersionsIn(db: Db, name: string, versions: CollectionVersions): Promise<boolean> {
  const { revision } = versions;
  const next = { revision, versions: JSON.stringify(versions) };
  if (revision > 1) {
    const { matchedCount } = await storedIn(db).replaceOne({ _id: name, revision: revision - 1 }, next);
    return matchedCount === 1;
  }
  try {
    await storedIn(db).insertOne({ _id: name, ...next });
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}
