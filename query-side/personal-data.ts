import { isSealed, subjectOf, unseal } from '@waybill/shared-kernel/personal-data.js';
import type { KeyReader } from '@waybill/shared-kernel/ports/keys.js';
import type { Visibility } from '@waybill/infra/http/access.js';

/** Opens sealed values of the people it was gathered for. For one answer: keys may be destroyed at any time. */
export interface Keyring {
  /** Whether it opens values of a subject: not where the key was destroyed. */
  readonly opens: (subject: string) => boolean;
  /** The value; null where there is none, or it does not open, or what a broken event brought is no sealed value. */
  readonly open: (sealed: unknown) => unknown;
}

/** Of who may not see personal data. */
export const noKeys: Keyring = { opens: () => false, open: () => null };

/**
 * A keyring for values of these subjects, empty for who may not see personal data. `Unavailable` when the key store
 * does not answer.
 */
export async function keyringFor(
  visibility: Visibility,
  store: KeyReader,
  subjects: Iterable<string | undefined>,
): Promise<Keyring> {
  if (visibility === 'redacted') return noKeys;
  const keys = new Map<string, Uint8Array | undefined>();
  for (const subject of subjects) {
    if (subject !== undefined && !keys.has(subject)) keys.set(subject, await store.find(subject));
  }
  return {
    opens: (subject) => keys.get(subject) !== undefined,
    open: (sealed) => {
      if (typeof sealed !== 'string' || !isSealed(sealed)) return null;
      const key = keys.get(subjectOf(sealed));
      return key === undefined ? null : unseal(sealed, key);
    },
  };
}
