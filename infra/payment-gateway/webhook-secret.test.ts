import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { systemRandomness } from '../clock/system.js';
import { dataFiles } from '../process/config.js';
import { webhookSecretOf } from './webhook-secret.js';

let dataFolder: string;
beforeEach(() => {
  dataFolder = mkdtempSync(join(tmpdir(), 'waybill-webhook-secret-'));
});
afterEach(() => {
  rmSync(dataFolder, { recursive: true, force: true });
});

const secretOf = (webhookSecret?: string) => webhookSecretOf({ webhookSecret, dataFolder }, systemRandomness);

test('one that is given is taken', () => {
  expect(secretOf('shared with the gateway')).toBe('shared with the gateway');
  expect(() => statSync(dataFiles(dataFolder).webhookSecret)).toThrow();
});

test('one is made where none is, once, for this user alone', () => {
  const secret = secretOf();
  expect(Buffer.from(secret, 'base64')).toHaveLength(32);
  expect(secretOf()).toBe(secret);
  expect(statSync(dataFiles(dataFolder).webhookSecret).mode & 0o777).toBe(0o600);
});

test('a file that is empty is no secret that anybody could guess', () => {
  writeFileSync(dataFiles(dataFolder).webhookSecret, '\n');
  expect(() => secretOf()).toThrow(BadDataFile);
});
