import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { steadyClock } from '../../clock/steady.js';
import { systemClock } from '../../clock/system.js';
import { issueDevelopmentToken, openDevelopmentKey } from './development-key.js';
import { createTokenVerifier } from './tokens.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-key-'));
  path = join(folder, 'development-key.json');
});
afterEach(() => rm(folder, { recursive: true }));

test('is made once, for its owner alone, and stays', async () => {
  const first = await openDevelopmentKey(path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const text = await readFile(path, 'utf8');
  const second = await openDevelopmentKey(path);
  expect(await readFile(path, 'utf8')).toBe(text);
  const token = await issueDevelopmentToken(first, { sub: 'c1', roles: ['customer'] }, systemClock);
  expect(await createTokenVerifier(second.trusted, { wallClock: systemClock, steadyClock })(token)).toEqual({
    sub: 'c1',
    roles: ['customer'],
  });
});

test('of several that start at once all get the same key, and no draft is left', async () => {
  const keys = await Promise.all(Array.from({ length: 8 }, () => openDevelopmentKey(path)));
  const verify = createTokenVerifier(keys[0]!.trusted, { wallClock: systemClock, steadyClock });
  for (const key of keys) {
    const token = await issueDevelopmentToken(key, { sub: 'c1', roles: ['customer'] }, systemClock);
    expect(await verify(token)).toMatchObject({ sub: 'c1' });
  }
  expect(await readdir(folder)).toEqual(['development-key.json']);
});

test.each([
  ['empty', ''],
  ['cut off', '{"kty":"EC","crv":"P-2'],
  ['another kind of key', '{"kty":"oct","k":"c2VjcmV0"}'],
  ['a public key', '{"kty":"EC","crv":"P-256","x":"a","y":"b"}'],
  ['a key off its curve', '{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}'],
  ['a list', '[]'],
])('a file that is %s is refused in one sentence, and left as it is', async (_what, text) => {
  await writeFile(path, text);
  const refused = openDevelopmentKey(path);
  await expect(refused).rejects.toThrow(BadDataFile);
  await expect(refused).rejects.toThrow(path);
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('a folder that is not there is refused', async () => {
  await expect(openDevelopmentKey(join(folder, 'none', 'key.json'))).rejects.toThrow(BadDataFile);
});
