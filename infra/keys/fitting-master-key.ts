import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { dataKeyLength } from '@waybill/shared-kernel/ports/keys.js';
import { unwrapKey, wrapKey } from './key-wrap.js';
import { makeMasterKey, masterKeyOfText, readMasterKey } from './master-key.js';

export interface MasterKeySource {
  /** The file of the master key, made on first use. */
  readonly masterKeyFile: string;
  /** The master key as base64, in place of the file: `WAYBILL_MASTER_KEY`. */
  readonly masterKeyText?: string | undefined;
  readonly randomness: Randomness;
}

/** What the proof is wrapped for; no subject is called so. */
const proofLabel = '';
const proofText = new Uint8Array(dataKeyLength);

/** What a store keeps from its first use on, by which its master key is told from all others. */
export function proofOf(masterKey: Uint8Array, randomness: Randomness): Uint8Array {
  return wrapKey(masterKey, proofLabel, proofText, randomness);
}

/**
 * The master key of a store with this proof; a store without one (`undefined`) takes any, and one is made where there
 * is none. The proof must have been looked for before: whoever wrote it had its master key already. `store` is what
 * errors call it. Throws `BadDataFile` where the master key is lost or another, or `BadConfiguration`.
 */
export function fittingMasterKey(source: MasterKeySource, proof: Uint8Array | undefined, store: string): Uint8Array {
  const { masterKeyFile, masterKeyText, randomness } = source;
  const masterKey = masterKeyText ? masterKeyOfText(masterKeyText) : readMasterKey(masterKeyFile);
  if (proof === undefined) return masterKey ?? makeMasterKey(masterKeyFile, randomness);
  if (masterKey === undefined) {
    throw new BadDataFile(
      `${masterKeyFile} is lost, and without it ${store} cannot be read. Put it back, or set WAYBILL_MASTER_KEY.`,
    );
  }
  if (unwrapKey(masterKey, proofLabel, proof) === undefined) {
    const name = masterKeyText ? 'WAYBILL_MASTER_KEY' : masterKeyFile;
    throw new BadDataFile(
      `The master key of ${name} is not the one that wraps the keys in ${store}. Give the one that does.`,
    );
  }
  return masterKey;
}
