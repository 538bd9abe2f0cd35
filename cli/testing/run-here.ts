import { Writable } from 'node:stream';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemClock } from '@waybill/infra/clock/system.js';
import { type Environment, readConfig } from '@waybill/infra/process/config.js';
import { runCommandLine } from '../program.js';

/** Keeps what is written to it. */
class Written extends Writable {
  #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

/** Runs the command line in this process, which starts no other. */
export async function runHere(words: readonly string[], environment: Environment) {
  const [out, err] = [new Written(), new Written()];
  const code = await runCommandLine(words, {
    config: () => readConfig(environment),
    environment,
    clock: systemClock,
    steadyClock,
    interruption: () => new AbortController().signal,
    out,
    err,
  });
  return { code, stdout: out.text, stderr: err.text };
}
