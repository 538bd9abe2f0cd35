import { availableParallelism } from 'node:os';

// Tests run as compiled: `tsc -b` first, then Jest over dist/, so that what is tested is what runs.
export default {
  testMatch: ['<rootDir>/*/dist/**/*.test.js', '<rootDir>/dist/tests/**/*.test.js'],
  modulePathIgnorePatterns: ['<rootDir>/bench/'],
  transform: {},
  testEnvironment: 'node',
  // Only what hangs takes so long, on however busy a machine. Milliseconds.
  testTimeout: process.env.WAYBILL_TEST_LONG === 'yes' ? 900_000 : 180_000,
  // One more than there are processors: many suites wait for processes of their own.
  maxWorkers: availableParallelism() + 1,
  setupFiles: ['<rootDir>/bootstrap/jest-seed.mjs'],
  reporters: ['default', '<rootDir>/bootstrap/jest-skipped.mjs'],
};
