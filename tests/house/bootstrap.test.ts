import { existsSync, statSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkout, read, sources } from './checkout.js';
import { node, nodeModule } from './node.js';
import { type ScratchCheckout, scratchCheckout } from './scratch-checkout.js';

describe('prepare', () => {
  let scratch: ScratchCheckout;
  const output = (path: string) => join(scratch.folder, 'kernel/dist', path);

  beforeAll(async () => {
    scratch = await scratchCheckout();
  });
  afterAll(() => scratch.remove());

  test('two at once from nothing: one installs and builds, the other waits for it', async () => {
    const both = await Promise.all([scratch.prepare(false), scratch.prepare(false)]);
    expect(both.map((one) => one.code)).toEqual([0, 0]);
    const installs = both.filter((one) => one.said.includes('Installing'));
    expect(installs).toHaveLength(1);
    expect(existsSync(output('one.js'))).toBe(true);
    expect(existsSync(output('one.test.js'))).toBe(false);
    expect(await readdir(join(scratch.folder, '.bootstrap'))).toEqual([]);
  });

  test('when nothing changed it needs neither npm nor the compiler, and writes nothing', async () => {
    const before = statSync(output('one.js')).mtimeMs;
    await rm(join(scratch.folder, 'node_modules/typescript-7'));
    expect(await scratch.prepare(false, { PATH: '' })).toEqual({ code: 0, said: '' });
    expect(statSync(output('one.js')).mtimeMs).toBe(before);
  });

  test('for tests it installs what production leaves out, and compiles the tests', async () => {
    const { code, said } = await scratch.prepare(true);
    expect([code, said]).toEqual([0, expect.stringContaining('Installing')]);
    expect(existsSync(output('one.test.js'))).toBe(true);
  });

  test('what tests installed is enough to start', async () => {
    expect(await scratch.prepare(false)).toEqual({ code: 0, said: '' });
  });

  test('a changed source is compiled again, the output of a deleted one is taken away', async () => {
    await scratch.write('kernel/one.ts', 'export const one = 11;\n');
    await rm(join(scratch.folder, 'kernel/one.test.ts'));
    expect(await scratch.prepare(true)).toEqual({ code: 0, said: '' });
    expect(await readFile(output('one.js'), 'utf8')).toContain('11');
    expect(existsSync(output('one.test.js'))).toBe(false);
  });

  test('what does not compile is said every time until it does', async () => {
    await scratch.write('kernel/one.ts', 'export const one: string = 1;\n');
    for (const attempt of [1, 2]) {
      const { code, said } = await scratch.prepare(true);
      expect([attempt, code]).toEqual([attempt, 3]);
      expect(said).toMatch(/one\.ts.*error TS2322[^]*does not compile/);
    }
    await scratch.write('kernel/one.ts', 'export const one = 1;\n');
    expect(await scratch.prepare(true)).toEqual({ code: 0, said: '' });
  });

  test('a changed lockfile is installed; without npm, or when that fails, it says what to do', async () => {
    const lockfile = join(scratch.folder, 'package-lock.json');
    const lock = await readFile(lockfile, 'utf8');

    await writeFile(lockfile, `${lock}\n`);
    const without = await scratch.prepare(true, { PATH: '' });
    expect([without.code, without.said]).toEqual([3, expect.stringContaining('npm was not found')]);

    await writeFile(lockfile, '{}');
    const failed = await scratch.prepare(true);
    expect([failed.code, failed.said]).toEqual([3, expect.stringContaining('Installing failed')]);

    await writeFile(lockfile, lock);
    const mended = await scratch.prepare(true);
    expect([mended.code, mended.said]).toEqual([0, expect.stringContaining('Installing')]);
  });

  test('where tests were run, a start takes nothing of them away when the lockfile changed', async () => {
    const lockfile = join(scratch.folder, 'package-lock.json');
    await writeFile(lockfile, `${await readFile(lockfile, 'utf8')}\n`);
    const started = await scratch.prepare(false);
    expect([started.code, started.said]).toEqual([0, expect.stringContaining('building and testing')]);
    expect(await scratch.prepare(true)).toEqual({ code: 0, said: '' });
  });
});

describe('alone', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-alone-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Works alone in `folder`, writing down when it comes and goes; `inside` runs in between. */
  const worker = (inside: string) =>
    nodeModule(`
      import { appendFileSync } from 'node:fs';
      import { setImmediate } from 'node:timers/promises';
      import { alone } from './bootstrap/alone.mjs';
      const note = (what) => appendFileSync(${JSON.stringify(join(folder, 'notes'))}, what + ' ' + process.pid + '\\n');
      await alone(${JSON.stringify(folder)}, async () => {
        note('in');
        for (let turn = 0; turn < 200; turn += 1) await setImmediate();
        ${inside}
        note('out');
      });
    `);

  test('one at a time, also when some die at it', async () => {
    const workers = Array.from({ length: 8 }, (_, index) =>
      worker(index % 3 === 0 ? "process.kill(process.pid, 'SIGKILL');" : ''),
    );
    const ends = await Promise.all(workers);
    expect(ends.filter((one) => one.code === 0)).toHaveLength(5);

    const notes = (await readFile(join(folder, 'notes'), 'utf8')).trim().split('\n');
    expect(notes.filter((note) => note.startsWith('in '))).toHaveLength(8);
    notes.forEach((note, index) => {
      if (note.startsWith('out ')) expect(notes[index - 1]).toBe(note.replace('out', 'in'));
    });
    await worker('');
    expect(await readdir(folder)).toEqual(['notes']);
  });
});

test.each([
  ['20.19.0', true],
  ['20.20.2', true],
  ['22.0.0', true],
  ['20.18.9', false],
  ['18.20.0', false],
])('Node %s suffices: %s', async (version, suffices) => {
  const { code, stderr } = await nodeModule(`
    import { explained } from './bootstrap/explained.mjs';
    import { requireNode } from './bootstrap/node-version.mjs';
    await explained(async () => requireNode(${JSON.stringify(version)}), 3);
  `);
  expect([code, stderr]).toEqual(
    suffices ? [0, ''] : [3, expect.stringMatching(new RegExp(`needs Node 20\\.19 or newer; this is ${version}`))],
  );
});

describe('npm run long', () => {
  const list = (...words: readonly string[]) => node([join('tools', 'long.mjs'), '--listTests', ...words]);

  test('runs every test that asks how far to go', async () => {
    const asking = sources().filter(
      (path) => path.endsWith('.test.ts') && /^import .*testing\/length\.js'/m.test(read(path)),
    );
    const outputs = asking.map((path) => path.replace(/^([^/]+)\//, '$1/dist/').replace(/^tests\/dist/, 'dist/tests'));
    const { code, stdout } = await list();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^At full length, WAYBILL_TEST_SEED=\d+\n/);
    for (const path of outputs) expect(stdout).toContain(path.replace(/ts$/, 'js'));
  });

  test('takes patterns, and fails where none matches', async () => {
    const { code, stdout } = await list('tests/CRASH', 'durability');
    expect([code, stdout.trim().split('\n').length]).toEqual([0, 3]);
    expect(await list('no such test')).toMatchObject({ code: 1, stderr: 'No test with a long form matches.\n' });
  });
});

test('the scripts of package.json name files that are there', async () => {
  const { scripts, bin } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
    bin: Record<string, string>;
  };
  const files = [...Object.values(scripts), ...Object.values(bin)].flatMap(
    (text) => text.match(/bootstrap\/\S+/g) ?? [],
  );
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter((file) => !existsSync(join(checkout, file)))).toEqual([]);
});
