import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { makeOlistFolder, smallFolder, type FixtureFiles } from '../import/testing/olist-folder.js';
import { runHere } from './run-here.js';

const main = fileURLToPath(new URL('../main.js', import.meta.url));

export interface Ran {
  /** `null`: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line on a data folder of the test. */
export class Waybill {
  readonly scratch = mkdtempSync(join(tmpdir(), 'waybill-cli-'));
  dataFolder = join(this.scratch, 'data');
  /** Variables it is given beside those of the folder and of ports that nobody listens at. */
  environment: Readonly<Record<string, string>> = {};

  /** Starts it as people do, as a process of its own: for what takes a signal, or runs beside another. */
  start(...words: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<Ran> } {
    const child = spawn(process.execPath, ['--enable-source-maps', main, ...words], {
      cwd: this.scratch,
      env: { PATH: process.env['PATH'], ...this.#environment() },
    });
    const ended = new Promise<Ran>((resolve, reject) => {
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout, stderr }));
    });
    return { child, ended };
  }

  /** Runs it in this process, which starts no other. */
  run(...words: readonly string[]): Promise<Ran> {
    return runHere(words, this.#environment());
  }

  #environment(): Readonly<Record<string, string>> {
    return {
      WAYBILL_DATA: this.dataFolder,
      WAYBILL_WRITE_PORT: '1',
      WAYBILL_READ_PORT: '1',
      ...this.environment,
    };
  }

  /** Runs with `--json` and reads the answer, whatever the exit code. */
  async json<T>(...words: readonly string[]): Promise<T> {
    const { stdout, stderr } = await this.run(...words, '--json');
    if (stdout === '') throw new Error(`waybill ${words.join(' ')} said nothing: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** Makes a folder of orders that is removed with all else. */
  olistFolder(files: FixtureFiles): string {
    return makeOlistFolder(files, this.scratch).folder;
  }

  /** Imports ten orders. */
  async importSmall(): Promise<void> {
    expect(await this.run('import', 'olist', this.olistFolder(smallFolder))).toMatchObject({ code: 0 });
  }

  remove(): void {
    rmSync(this.scratch, { recursive: true, force: true });
  }
}
