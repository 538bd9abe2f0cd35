import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { InvalidInput, RuleViolated } from '@waybill/shared-kernel/errors.js';

/** What a backup holds. It is written last, so a folder without one is no backup. */
export interface Manifest {
  readonly format: 1;
  /** RFC 3339 UTC. */
  readonly createdAt: string;
  /** Position of the last event in the copy. */
  readonly log: {
    readonly position: string;
    /** What of it cannot be had: events that cannot be read, streams of which events are gone. Absent: nothing that is known. */
    readonly faults?: readonly LogFault[];
  };
  readonly files: readonly ManifestFile[];
}

/** Of an event, its revision and position; else of a stream. */
export interface LogFault {
  readonly stream: string;
  readonly revision?: number;
  readonly position?: string;
  readonly message: string;
}

export interface ManifestFile {
  /** In the backup, with slashes. */
  readonly path: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export const manifestName = 'manifest.json';

/** Where the keys are in a backup: apart, so that they can be kept elsewhere. */
export const keysFolder = 'keys';

/** Whether a file of a backup belongs to its keys. */
export function isKey(path: string): boolean {
  return path.startsWith(`${keysFolder}/`);
}

export async function describeFile(folder: string, path: string): Promise<ManifestFile> {
  const file = join(folder, path);
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return { path, bytes: (await stat(file)).size, sha256: hash.digest('hex') };
}

/** The manifest of a folder. Throws `InvalidInput` where there is none that this program can read. */
export async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, manifestName), 'utf8').catch(() => undefined);
  if (text === undefined) {
    throw new InvalidInput(
      [],
      `${folder} is not a complete backup: it has no ${manifestName}. Name a folder that backup made.`,
    );
  }
  const manifest = parsed(text);
  if (!isManifest(manifest)) {
    throw new InvalidInput(
      [],
      `${join(folder, manifestName)} cannot be read by this program; a newer version may have made it.`,
    );
  }
  return manifest;
}

/** Throws `RuleViolated` where a file is not what its manifest says. */
export async function checkFile(folder: string, expected: ManifestFile): Promise<void> {
  const found = await describeFile(folder, expected.path).catch(() => undefined);
  const file = join(folder, expected.path);
  if (found === undefined) {
    const advice = isKey(expected.path) ? ' Put the keys folder back where the backup had it.' : '';
    throw new RuleViolated('incomplete-backup', `${file} is missing from the backup.${advice}`);
  }
  if (found.sha256 !== expected.sha256) {
    throw new RuleViolated('damaged-backup', `${file} is not as it was when the backup was made. Use another backup.`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const plainPath = /^(?:keys\/)?[a-z-]+\.(?:sqlite|key|json)$/;

function isManifest(value: unknown): value is Manifest {
  return (
    isRecord(value) &&
    value['format'] === 1 &&
    isRecord(value['log']) &&
    Array.isArray(value['files']) &&
    value['files'].every(
      (file) => isRecord(file) && plainPath.test(String(file['path'])) && file['path'] !== manifestName,
    )
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
