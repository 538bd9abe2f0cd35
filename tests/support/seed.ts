import { randomInt } from 'node:crypto';

/** Decides what is by chance in a test: WAYBILL_TEST_SEED, else a fresh one. A test that uses it prints it. */
export const seed = Number(process.env['WAYBILL_TEST_SEED'] ?? randomInt(2 ** 31));
