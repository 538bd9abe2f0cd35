import type { Sealed } from '@waybill/shared-kernel/personal-data.js';
import { seal, unseal } from '@waybill/shared-kernel/personal-data.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { IsText } from './rules.js';

export class AddressBody {
  @IsText(200)
  street!: string;

  @IsText(100)
  city!: string;

  @IsText(20)
  postalCode!: string;
}

/** The address as events hold it. */
export function sealAddress(
  { street, city, postalCode }: AddressBody,
  subject: string,
  key: Uint8Array,
  randomness: Randomness,
): Sealed {
  return seal(subject, key, { street, city, postalCode }, randomness);
}

/** Whether a sealed address is this one. */
export function isSameAddress(sealed: Sealed, key: Uint8Array, { street, city, postalCode }: AddressBody): boolean {
  return JSON.stringify(unseal(sealed, key)) === JSON.stringify({ street, city, postalCode });
}
