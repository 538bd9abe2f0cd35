import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { keyStoreContract } from '@waybill/shared-kernel/ports/keys.contract.js';
import { systemRandomness } from '../../clock/system.js';
import { openMemoryKeyStore } from './key-store.js';

const shared: KeyStore = openMemoryKeyStore(systemRandomness);
keyStoreContract('memory', { open: () => Promise.resolve(shared) });
