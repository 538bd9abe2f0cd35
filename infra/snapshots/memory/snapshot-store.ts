import type { SnapshotStore, StoredSnapshot } from '@waybill/shared-kernel/ports/snapshots.js';

/** Snapshots in the memory of this process, for tests and trials: they end with it. */
export function openMemorySnapshotStore(): SnapshotStore {
  const snapshots = new Map<string, StoredSnapshot>();
  return {
    load: async (stream) => snapshots.get(stream),
    save: async (stream, snapshot) => {
      const present = snapshots.get(stream);
      if (present?.schemaVersion === snapshot.schemaVersion && present.revision >= snapshot.revision) return;
      snapshots.set(stream, snapshot);
    },
    remove: async (stream) => {
      snapshots.delete(stream);
    },
    close: async () => {},
  };
}
