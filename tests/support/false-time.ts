import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { describe } from '@jest/globals';

/** `libfaketimeMT.so.1`; `npm run test:servers` says where it is. */
const library = process.env['WAYBILL_TEST_FAKETIME'] ?? '';

/** `describe` where the wall clock of a whole process can be set. */
export const describeWithFalseTime: typeof describe.skip = library === '' ? describe.skip : describe;

/** The wall clock of processes, set from outside while they run; their monotonic clocks go on as they are. */
export class FalseTime {
  readonly #file: string;

  /** `folder`: for the file that says by how much it is wrong. */
  constructor(folder: string) {
    this.#file = join(folder, 'false-time');
    this.setAhead(0);
  }

  /** By how much the clock is ahead from now on, seconds; negative: behind. */
  setAhead(seconds: number): void {
    writeFileSync(this.#file, seconds < 0 ? String(seconds) : `+${seconds}`);
  }

  /** What a process is started with. */
  environment(): NodeJS.ProcessEnv {
    return {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }
}
