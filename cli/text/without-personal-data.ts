import { isSealed } from '@waybill/shared-kernel/personal-data.js';

/** JSON with null in the place of everything personal: whoever has the data folder sees no more than its log. */
export function withoutPersonalData(value: unknown): unknown {
  if (typeof value === 'string') return isSealed(value) ? null : value;
  if (Array.isArray(value)) return value.map(withoutPersonalData);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutPersonalData(inner)]));
}
