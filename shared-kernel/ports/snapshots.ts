/** The state of an aggregate as it was written down at one revision of its stream. */
export interface StoredSnapshot {
  /** Of the last event that is in it. */
  readonly revision: number;
  /** Of what `text` holds. */
  readonly schemaVersion: number;
  /** Opaque to the store, its checksum included. */
  readonly text: string;
}

/**
 * Snapshots of aggregates, one for each stream at most. They only save reading: nothing is lost with them, and a
 * loader compares one with the log before using it. Promises of every adapter, checked by `snapshots.contract.ts`:
 *
 * - What is loaded is what was saved last, unchanged, by whichever process; but of one schema version the later
 *   revision stays, whatever order saves of it arrive in. One of another schema version always gives way.
 * - A save that resolved survives a crash of the process (memory: it ends with it).
 * - Opening waits for nothing, and fails for nothing but a configuration that can never work: what cannot be used says
 *   so, by `Unavailable` or `BadDataFile`, when it is used.
 */
export interface SnapshotStore {
  load(stream: string): Promise<StoredSnapshot | undefined>;
  save(stream: string, snapshot: StoredSnapshot): Promise<void>;
  /** Forgets what it has of a stream. A no-op where it has nothing. */
  remove(stream: string): Promise<void>;
  close(): Promise<void>;
}
