import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';

/** Characters one record may have: a quote that is never closed is found before it has swallowed the file. */
const longestRecord = 100_000;

/** One record, and where it stands. */
export class CsvRow<Column extends string> {
  constructor(
    readonly file: string,
    /** Line on which the record begins, from 1; the header is line 1. */
    readonly line: number,
    private readonly columns: readonly Column[],
    private readonly values: readonly string[],
  ) {}

  text(column: Column): string {
    return this.values[this.columns.indexOf(column)] ?? '';
  }

  /** What is wrong with the value of a column, with the place at which to mend it. */
  fault(column: Column, detail: string): InvalidInput {
    return faultAt(this.file, this.line, column, `"${excerpt(this.text(column))}" ${detail}`);
  }
}

function excerpt(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}

function faultAt(file: string, line: number, column: string | number, detail: string): InvalidInput {
  return new InvalidInput([], `${basename(file)}, line ${line}, column ${column}: ${detail}.`);
}

function cannotRead(file: string, error: unknown): InvalidInput {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : String(error);
  const why = code === 'ENOENT' ? 'is not there' : code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`;
  return new InvalidInput([], `${file} ${why}. Name the folder that holds it, and check that you may read it.`);
}

/** The text of a file in pieces; throws at the first bytes that are no UTF-8. */
async function* decode(file: string): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  const text = (bytes?: Buffer) => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch {
      throw new InvalidInput([], `${basename(file)}, after line ${line}, column 1: this is not UTF-8 text.`);
    }
  };
  for await (const bytes of createReadStream(file) as AsyncIterable<Buffer>) {
    const piece = text(bytes);
    yield piece;
    for (let at = piece.indexOf('\n'); at !== -1; at = piece.indexOf('\n', at + 1)) line += 1;
  }
  yield text();
}

const unclosed = 'a quote opens and is never closed';
const inTheMiddle = 'a quote stands inside a value that is not quoted as a whole; double it and quote the value';

function explain(error: CsvError): string {
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
    case 'CSV_MAX_RECORD_SIZE':
      return unclosed;
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'INVALID_OPENING_QUOTE':
      return inTheMiddle;
    default:
      return error.message;
  }
}

function checkHeader(file: string, columns: readonly string[], header: readonly string[]): void {
  for (const [index, expected] of columns.entries()) {
    const found = header[index];
    if (found !== expected) {
      const what = found === undefined ? 'is missing' : `is "${excerpt(found)}"`;
      throw faultAt(file, 1, index + 1, `this column ${what} where "${expected}" is expected`);
    }
  }
  if (header.length > columns.length) {
    throw faultAt(
      file,
      1,
      columns.length + 1,
      `there is a column "${excerpt(header[columns.length] ?? '')}" too many; expected are ${columns.join(', ')}`,
    );
  }
}

/**
 * The records of a CSV file (RFC 4180, UTF-8, a byte order mark is allowed) that has exactly `columns`, in their
 * order, as its header says. Reads as it is asked, so a file may be of any size. Throws `InvalidInput` that names
 * file, line and column at the first thing that is not so.
 */
export async function* readTable<Column extends string>(
  file: string,
  columns: readonly Column[],
): AsyncGenerator<CsvRow<Column>, void, undefined> {
  // The parser runs ahead of what is taken from it: the last line of each record that still waits, and of all so far.
  const waiting: number[] = [];
  let parsedLines = 0;
  const parser = parse({
    bom: true,
    relax_column_count: true,
    max_record_size: longestRecord,
    on_record: (record: string[], { lines }) => {
      parsedLines = lines;
      waiting.push(lines);
      return record;
    },
  });
  const source = Readable.from(decode(file));
  source.once('error', (error) => parser.destroy(error));
  let seenHeader = false;
  let line = 0;
  let nextLine = 1;
  try {
    for await (const values of source.pipe(parser) as AsyncIterable<string[]>) {
      line = nextLine;
      nextLine = (waiting.shift() ?? line) + 1;
      if (!seenHeader) {
        checkHeader(file, columns, values);
        seenHeader = true;
        continue;
      }
      if (values.length !== columns.length) {
        const place = Math.min(values.length, columns.length) + 1;
        throw faultAt(file, line, place, `this line has ${values.length} columns where ${columns.length} are expected`);
      }
      yield new CsvRow(file, line, columns, values);
    }
  } catch (error) {
    if (error instanceof InvalidInput) throw error;
    if (error instanceof CsvError) {
      const index = typeof error['column'] === 'number' ? error['column'] : 0;
      throw faultAt(
        file,
        parsedLines + 1,
        parsedLines === 0 ? index + 1 : (columns[index] ?? index + 1),
        explain(error),
      );
    }
    throw cannotRead(file, error);
  } finally {
    source.destroy();
  }
  if (!seenHeader) checkHeader(file, columns, []);
}
