import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkout } from './checkout.js';

/** A checkout with this bootstrap, one workspace of one file, and this compiler as its only dependency. */
export interface ScratchCheckout {
  readonly folder: string;
  write(path: string, text: string): Promise<void>;
  /** Runs `prepare` in it; without a network, which an install from this machine's files does not need. */
  prepare(dev: boolean, environment?: NodeJS.ProcessEnv): Promise<{ readonly code: number; readonly said: string }>;
  remove(): Promise<void>;
}

const compilerOptions = {
  rootDir: '.',
  outDir: 'dist',
  tsBuildInfoFile: 'dist/.tsbuildinfo',
  composite: true,
  module: 'nodenext',
  target: 'es2023',
  types: [],
};
const buildOptions = { ...compilerOptions, tsBuildInfoFile: 'dist/.build.tsbuildinfo' };

const files: Readonly<Record<string, object | string>> = {
  'package.json': {
    name: 'scratch',
    version: '1.0.0',
    private: true,
    type: 'module',
    workspaces: ['kernel'],
    dependencies: { 'typescript-7': `file:${join(checkout, 'node_modules', 'typescript-7')}` },
  },
  'tsconfig.json': { compilerOptions, files: ['main.ts'], references: [{ path: 'kernel' }] },
  'tsconfig.build.json': {
    compilerOptions: buildOptions,
    files: ['main.ts'],
    references: [{ path: 'kernel/tsconfig.build.json' }],
  },
  'main.ts': 'export const main = 1;',
  'kernel/package.json': { name: 'kernel', version: '1.0.0', type: 'module' },
  'kernel/tsconfig.json': { compilerOptions, include: ['*.ts'] },
  'kernel/tsconfig.build.json': { compilerOptions: buildOptions, files: ['one.ts'] },
  'kernel/one.ts': 'export const one = 1;',
  'kernel/one.test.ts': "import { one } from './one.js';\nexport const two = one + 1;",
};

export async function scratchCheckout(): Promise<ScratchCheckout> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-checkout-'));
  await cp(join(checkout, 'bootstrap'), join(folder, 'bootstrap'), { recursive: true });
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  for (const [path, content] of Object.entries(files)) {
    await write(path, typeof content === 'string' ? content : JSON.stringify(content));
  }
  await ended('npm', ['install', '--package-lock-only', '--offline', '--ignore-scripts'], folder, {});
  return {
    folder,
    write,
    prepare: async (dev, environment = {}) => {
      const text = `import { prepare } from './bootstrap/prepare.mjs'; await prepare({ dev: ${dev} });`;
      return ended(process.execPath, ['--input-type=module', '--eval', text], folder, environment);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function ended(command: string, args: readonly string[], cwd: string, environment: NodeJS.ProcessEnv) {
  const env = { ...process.env, npm_config_offline: 'true', npm_execpath: undefined, ...environment };
  return new Promise<{ code: number; said: string }>((resolve) => {
    execFile(command, [...args], { cwd, env }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
      resolve({ code, said: stdout + stderr });
    });
  });
}
