/** Whether tests run at full length, as `npm run long` has them; else each long one has its short form. */
export const isLong = process.env['WAYBILL_TEST_LONG'] === 'yes';

/** How often something is tried: `short` times in `npm test`, `long` times in `npm run long`. */
export function runs(short: number, long: number): number {
  return isLong ? long : short;
}
