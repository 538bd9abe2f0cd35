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
  /** The one before it, which keys may still be wrapped by: `WAYBILL_MASTER_KEY_PREVIOUS`. */
  readonly previousMasterKeyText?: string | undefined;
  readonly randomness: Randomness;
}

/** What the proof is wrapped for; no subject is called so. */
const proofLabel = '';
const proofText = new Uint8Array(dataKeyLength);

/** What a store keeps from its first use on, to recognise its master key. */
export function proofOf(masterKey: Uint8Array, randomness: Randomness): Uint8Array {
  return wrapKey(masterKey, proofLabel, proofText, randomness);
}

/** The master keys that keys of a store may be wrapped by: the present one, then the one before it. */
export type MasterKeys = readonly [present: Uint8Array, ...previous: readonly Uint8Array[]];

/**
 * The master keys of a store with this proof; a store without one (`undefined`) takes any, and one is made where there
 * is none. The proof must have been looked for before: whoever wrote it had its master key already. `store` is what
 * errors call it. Throws `BadDataFile` where the master key is lost or another, or `BadConfiguration`.
 */
export function fittingMasterKeys(source: MasterKeySource, proof: Uint8Array | undefined, store: string): MasterKeys {
  const { masterKeyFile, masterKeyText, previousMasterKeyText, randomness } = source;
  const present = masterKeyText ? masterKeyOfText(masterKeyText) : readMasterKey(masterKeyFile);
  if (present === undefined && proof !== undefined) {
    throw new BadDataFile(
      `${masterKeyFile} is lost, and without it ${store} cannot be read. Put it back, or set WAYBILL_MASTER_KEY.`,
    );
  }
  const fitting = present ?? makeMasterKey(masterKeyFile, randomness);
  const masterKeys: MasterKeys = previousMasterKeyText
    ? [fitting, masterKeyOfText(previousMasterKeyText, 'WAYBILL_MASTER_KEY_PREVIOUS')]
    : [fitting];
  if (proof !== undefined) wrappingKey(masterKeys, proof, presentName(source), store);
  return masterKeys;
}

/** What errors call the present master key: where it is from. */
export function presentName({ masterKeyText, masterKeyFile }: MasterKeySource): string {
  return masterKeyText ? 'WAYBILL_MASTER_KEY' : masterKeyFile;
}

/**
 * The one of the master keys that new keys of a store are wrapped by: of which its proof is. Until the store is rotated
 * that is the previous one, which all processes have. Throws `BadDataFile` where it is none of them; `name` is what
 * errors call the present one.
 */
export function wrappingKey(masterKeys: MasterKeys, proof: Uint8Array, name: string, store: string): Uint8Array {
  const found = masterKeys.find((masterKey) => isProofOf(masterKey, proof));
  if (found !== undefined) return found;
  throw new BadDataFile(
    `The master key of ${name} is not the one that wraps the keys in ${store}. Give the one that does.`,
  );
}

export function isProofOf(masterKey: Uint8Array, proof: Uint8Array): boolean {
  return unwrapKey(masterKey, proofLabel, proof) !== undefined;
}
