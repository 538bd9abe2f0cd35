// Tests run as compiled: `tsc -b` first, then Jest over dist/, so that what is tested is what runs.
export default {
  testMatch: ['<rootDir>/*/dist/**/*.test.js', '<rootDir>/dist/tests/**/*.test.js'],
  modulePathIgnorePatterns: ['<rootDir>/bench/'],
  transform: {},
  testEnvironment: 'node',
  testTimeout: 30_000,
  reporters: ['default', '<rootDir>/bootstrap/jest-skipped.mjs'],
};
