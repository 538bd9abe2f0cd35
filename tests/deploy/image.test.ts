import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, cp, link, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkout, read } from '../house/checkout.js';
import { pinnedImage } from './files.js';
import { parts } from './parts.js';

interface Instruction {
  readonly name: string;
  readonly text: string;
}

const instructions = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n */g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line): Instruction => {
    const [name] = line.split(' ', 1);
    return { name: name!, text: line.slice(name!.length + 1) };
  });
const lastStage = instructions.findLastIndex(({ name }) => name === 'FROM');
const [build, image] = [instructions.slice(0, lastStage), instructions.slice(lastStage)];
const texts = (stage: readonly Instruction[], name: string) =>
  stage.filter((one) => one.name === name).map(({ text }) => text);

/** The words of an instruction in exec form. Throws for the shell form, under which a signal stays with the shell. */
function exec(name: string): readonly string[] {
  const [text] = texts(image, name);
  return JSON.parse(text!.replace(/^.*CMD (?=\[)/, '')) as string[];
}

/** What a COPY takes, and where to. */
function copies(): readonly { readonly source: string; readonly target: string }[] {
  return texts(build, 'COPY').flatMap((text) => {
    const words = text.split(' ');
    const target = words.pop()!;
    return words.map((source) => ({ source, target: target.endsWith('/') ? join(target, basename(source)) : target }));
  });
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Names that are never sent to the builder, at any depth; see `.dockerignore`. */
const ignored = [
  /(^|\/)node_modules(\/|$)/,
  /(^|\/)dist(\/|$)/,
  /(^|\/)testing(\/|$)/,
  /\.test\.ts$/,
  /\.contract\.ts$/,
  /(^|\/)\.env$/,
  /^\/infra\/deploy\/(?!image(\/|$))/,
];

describe('the Dockerfile', () => {
  test('builds on images of one version each, in two stages', () => {
    const bases = texts(instructions, 'FROM').map((text) => text.split(' ')[0]!);
    expect(bases).toHaveLength(2);
    for (const base of bases) expect(base).toMatch(pinnedImage);
  });

  test('runs as somebody who is not root, by number, so that a cluster can tell', () => {
    expect(texts(image, 'USER')).toEqual(['1000:1000']);
  });

  test('hears signals: exec form, and SIGTERM', () => {
    expect(texts(image, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(exec('ENTRYPOINT')[0]).toBe('node');
    expect(Object.keys(parts)).toContain(exec('CMD')[0]);
    expect(exec('HEALTHCHECK')[0]).toBe('node');
  });

  test('copies what is there, and what .dockerignore lets through', () => {
    const rules = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const allowed = rules.filter((rule) => /^![^/]+$/.test(rule)).map((rule) => rule.slice(1));
    expect(rules[0]).toBe('*');
    const hidden = rules.filter((rule) => rule.startsWith('**/')).map((rule) => rule.slice(3));
    expect(hidden).toEqual(['node_modules', 'dist', 'testing', '*.test.ts', '*.contract.ts', '.env']);
    expect(rules.slice(-2)).toEqual(['infra/deploy', '!infra/deploy/image']);
    for (const { source } of copies()) {
      expect([source, existsSync(join(checkout, source))]).toEqual([source, true]);
      expect(allowed).toContain(source.split('/')[0]);
      expect(ignored.some((pattern) => pattern.test(source))).toBe(false);
    }
    const firsts = copies().map(({ source }) => source.split('/')[0]!);
    expect([...new Set(firsts)].toSorted()).toEqual(allowed.toSorted());
  });

  test('copies the manifest of every workspace before it installs', () => {
    const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] };
    const early = instructions.slice(
      0,
      instructions.findIndex(({ text }) => text.startsWith('npm ci')),
    );
    const copied = texts(early, 'COPY').join(' ').split(' ');
    for (const workspace of workspaces) expect(copied).toContain(`${workspace}/package.json`);
  });

  test('installs without development dependencies, by the lockfile', () => {
    expect(texts(build, 'RUN')[0]).toMatch(/^npm ci --omit=dev\b/);
  });
});

test.each(Object.entries(parts))('%s is compiled to %s', (_name, file) => {
  const source = file.replace(/^(.*?)dist\/(.*)\.js$/, '$1$2.ts');
  expect(existsSync(join(checkout, source))).toBe(true);
  expect(existsSync(join(checkout, file))).toBe(true);
});

/** Puts a package where `npm ci --omit=dev` would, from where it is installed here. */
async function place(source: string, target: string, nested: boolean): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const entry of await readdir(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) {
      if (nested || entry.name !== 'node_modules') await place(from, to, true);
    } else {
      await link(from, to).catch(() => copyFile(from, to));
    }
  }
}

interface LockedPackage {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly resolved?: string;
}

/** What `npm ci --omit=dev` does, without a registry: those packages of the lockfile that are for production. */
async function installForProduction(folder: string): Promise<void> {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockedPackage> };
  for (const [path, { dev, devOptional, link: isLink, resolved }] of Object.entries(packages)) {
    if (dev || devOptional || !path.includes('node_modules/')) continue;
    const target = join(folder, path);
    if (isLink) {
      await mkdir(dirname(target), { recursive: true });
      await symlink(join(folder, resolved!), target);
    } else if (existsSync(join(checkout, path))) {
      await place(join(checkout, path), target, false);
    }
  }
}

const describePosix = process.platform === 'win32' ? describe.skip : describe;

describePosix("the Dockerfile's steps, without Docker", () => {
  let folder: string;
  let data: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-image-'));
    data = await mkdtemp(join(tmpdir(), 'waybill-image-data-'));
    for (const { name, text } of build) {
      if (name === 'COPY') {
        for (const { source, target } of copies().filter((one) => text.split(' ').includes(one.source))) {
          const filter = (path: string) => !ignored.some((pattern) => pattern.test(path.slice(checkout.length)));
          await cp(join(checkout, source), join(folder, target), { recursive: true, filter });
        }
      } else if (name === 'RUN' && text.startsWith('npm ci ')) {
        await installForProduction(folder);
      } else if (name === 'RUN') {
        execFileSync('sh', ['-eu', '-c', text], { cwd: folder, stdio: 'pipe' });
      }
    }
  }, 300_000);
  afterAll(async () => {
    for (const path of [folder, data]) await rm(path, { recursive: true, force: true });
  });

  const start = (args: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
    spawn(process.execPath, [...exec('ENTRYPOINT').slice(1), ...args], {
      cwd: folder,
      env: { PATH: process.env['PATH'], WAYBILL_DATA: data, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  async function said(args: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> {
    const child = start(args);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(child, 'close');
    return { code: child.exitCode, text };
  }

  test('leave no source, no test, no compiler and nothing of a deployment in the image', async () => {
    const files = await readdir(folder, { recursive: true });
    const own = files.filter((file) => !file.includes('node_modules'));
    expect(own.filter((file) => /\.ts$|\.map$|\.test\.|\.contract\.|tsbuildinfo|\/testing\//.test(file))).toEqual([]);
    expect(await readdir(join(folder, 'infra', 'deploy'))).toEqual(['image']);
    expect(files.filter((file) => /^node_modules\/(typescript|jest|@types|eslint)/.test(file))).toEqual([]);
  });

  test('every process starts as far as its configuration lets it', async () => {
    for (const name of Object.keys(parts).filter((part) => !['all', 'cli', 'payment-simulator'].includes(part))) {
      // Without a broker it refuses; a module that is missing would be another sentence.
      expect([name, await said([name])]).toEqual([
        name,
        { code: 2, text: expect.stringMatching(/^WAYBILL_BROKER is memory:.*\n$/) },
      ]);
    }
    expect(await said(['cli', '--help'])).toEqual({ code: 0, text: expect.stringContaining('Usage: waybill') });
    expect(await said(['nonsense'])).toEqual({ code: 2, text: expect.stringContaining('write-api, read-api') });
  }, 120_000);

  test('the payment simulator starts with nothing, is found well, and stops on SIGTERM', async () => {
    const child = start(['payment-simulator'], { WAYBILL_SIMULATOR_PORT: '0' });
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.includes('\n')) break;
    }
    const environment = { ...process.env, WAYBILL_WRITE_PORT: '1', WAYBILL_READ_PORT: '1' };
    const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1];
    const checked = spawn(process.execPath, exec('HEALTHCHECK').slice(1), {
      cwd: folder,
      env: { ...environment, WAYBILL_SIMULATOR_PORT: port },
    });
    expect((await once(checked, 'exit'))[0]).toBe(0);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
  }, 120_000);

  test('what starts is found well by the health check, writes nothing beside its data, and stops on SIGTERM', async () => {
    const before = await readdir(folder, { recursive: true });
    const child = start(exec('CMD'), { WAYBILL_WRITE_PORT: '0', WAYBILL_READ_PORT: '0' });
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.includes('Ctrl-C')) break;
    }
    const port = /write API +http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1];
    const health = (writePort: string | undefined) => {
      const environment = { ...process.env, WAYBILL_WRITE_PORT: writePort, WAYBILL_READ_PORT: '1' };
      const checked = spawn(process.execPath, exec('HEALTHCHECK').slice(1), { cwd: folder, env: environment });
      return once(checked, 'exit').then(([code]) => code as number);
    };
    expect(await health(port)).toBe(0);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    expect(await health(port)).toBe(1);
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  }, 120_000);
});
