import { expect, test } from '@jest/globals';
import { storedCheckpoint } from './category-heads.js';
import { logBeginning } from './log-position.js';
import { at } from '../testing/at.js';
import type { RelayCheckpoint } from '../ports/read-store.js';

test('a checkpoint of the older shape counts for nothing', () => {
  const older = JSON.parse('{"3":{"position":9,"recordedAt":"2026-03-01T12:00:00.000Z"}}') as RelayCheckpoint['heads'];
  expect(storedCheckpoint(at(9), older)).toEqual({ ...logBeginning, heads: {} });
  const newer = { ...at(9), heads: { 3: { order: 9 } } };
  expect(storedCheckpoint(at(9), newer.heads)).toEqual(newer);
  expect(storedCheckpoint(at(9), {})).toEqual({ ...at(9), heads: {} });
});
