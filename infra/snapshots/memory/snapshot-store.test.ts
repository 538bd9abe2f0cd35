import { snapshotStoreContract } from '@waybill/shared-kernel/ports/snapshots.contract.js';
import { openMemorySnapshotStore } from './snapshot-store.js';

const shared = openMemorySnapshotStore();
snapshotStoreContract('memory', { open: () => Promise.resolve(shared) });
