import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Characters that a bucket collects before they are written. */
const chunkLength = 16_384;

interface Bucket {
  waiting: string[];
  waitingLength: number;
  readonly chunks: { readonly offset: number; readonly length: number }[];
}

/**
 * Lines put aside, in buckets that are read back one at a time: few stay in memory, more go into one file in the system's folder for temporary
 * files (TMPDIR); what it holds is sealed as it is in the log.
 */
export class SpillFile {
  #opened: { readonly folder: string; readonly file: number } | undefined;
  readonly #buckets: readonly Bucket[];
  #end = 0;

  constructor(
    buckets: number,
    private readonly parent = tmpdir(),
  ) {
    this.#buckets = Array.from({ length: buckets }, () => ({ waiting: [], waitingLength: 0, chunks: [] }));
  }

  /** `line` holds no line break. */
  write(bucket: number, line: string): void {
    const into = this.#bucket(bucket);
    into.waiting.push(line);
    into.waitingLength += line.length;
    if (into.waitingLength >= chunkLength) this.#flush(into);
  }

  /** The lines of a bucket in the order in which they were written. */
  read(bucket: number): readonly string[] {
    const { chunks, waiting } = this.#bucket(bucket);
    const written = chunks.flatMap(({ offset, length }) => {
      const bytes = Buffer.allocUnsafe(length);
      readSync(this.#open(), bytes, 0, length, offset);
      return bytes.toString('utf8').split('\n');
    });
    return [...written, ...waiting];
  }

  close(): void {
    if (this.#opened === undefined) return;
    closeSync(this.#opened.file);
    rmSync(this.#opened.folder, { recursive: true, force: true });
    this.#opened = undefined;
  }

  #open(): number {
    if (this.#opened === undefined) {
      const folder = mkdtempSync(join(this.parent, 'waybill-replay-'));
      this.#opened = { folder, file: openSync(join(folder, 'spill'), 'wx+', 0o600) };
    }
    return this.#opened.file;
  }

  #bucket(index: number): Bucket {
    const bucket = this.#buckets[index];
    if (bucket === undefined) throw new RangeError(`no bucket ${index}`);
    return bucket;
  }

  #flush(bucket: Bucket): void {
    const bytes = Buffer.from(bucket.waiting.join('\n'), 'utf8');
    const file = this.#open();
    for (let written = 0; written < bytes.length;) {
      written += writeSync(file, bytes, written, bytes.length - written, this.#end + written);
    }
    bucket.chunks.push({ offset: this.#end, length: bytes.length });
    this.#end += bytes.length;
    bucket.waiting = [];
    bucket.waitingLength = 0;
  }
}
