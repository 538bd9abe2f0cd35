const bytesOfSlot = 8;
const bytesOfObject = 32;
const bytesOfText = 24;

/** About how many bytes of memory a value made of JSON takes. */
export function approximateBytes(value: unknown): number {
  if (typeof value === 'string') return bytesOfText + value.length;
  if (typeof value !== 'object' || value === null) return bytesOfSlot;
  let bytes = bytesOfObject;
  for (const part of Object.values(value)) bytes += bytesOfSlot + approximateBytes(part);
  return bytes;
}
