/**
 * The versions of one collection, whose documents stand side by side in a read store under `name` and the version's
 * number. The version of a spec in the code is its shape; each shape has versions of its own, so that programs of two
 * releases read what each understands. Kept as one record, so that whatever changes, changes in one write.
 */
export interface CollectionVersions {
  /** How often the record has been written: 1 at first. */
  readonly revision: number;
  /** The greatest number that a version was given; none is given twice. */
  readonly newest: number;
  /** By shape. */
  readonly shapes: Readonly<Record<number, ShapeVersions>>;
}

/** Version numbers throughout. */
export interface ShapeVersions {
  /** The one that is read. */
  readonly live: number;
  /** The one that was read before: kept as it was then, to go back to. */
  readonly previous?: number;
  /** Under way. */
  readonly rebuild?: Rebuild;
  /** How the last one ended. */
  readonly last?: RebuildOutcome;
  /** To be dropped, once nobody can be reading or writing them any more. */
  readonly obsolete: readonly number[];
}

/** `rebuild`: a new version. `rollback`: back to the previous one, brought up to date. */
export type RebuildKind = 'rebuild' | 'rollback';

/**
 * `replaying`: the version is made from the log, by its builder alone. `following`: projectors keep it up to date.
 * `comparing`: they do, and it is held against the log.
 */
export type RebuildStep = 'replaying' | 'following' | 'comparing';

export interface Rebuild {
  readonly id: string;
  readonly kind: RebuildKind;
  readonly version: number;
  readonly step: RebuildStep;
  readonly progress: RebuildProgress;
  /** The process that builds; none before one has begun and after it has stopped. */
  readonly builder?: RebuildBuilder;
}

/** How far the step has come through the log. */
export interface RebuildProgress {
  readonly position: number;
  /** Where it ends. */
  readonly head: number;
  /** Events a second; 0 as long as it is not known. */
  readonly rate: number;
}

export interface RebuildBuilder {
  readonly id: string;
  /** Grows as long as it is at work: if it does not for long, another process takes over. */
  readonly beat: number;
}

/** `differs`: it was not switched to, because it is not what the log says. `failed`: it could not be made. */
export type RebuildResult = 'switched' | 'differs' | 'failed';

export interface RebuildOutcome {
  readonly id: string;
  readonly kind: RebuildKind;
  readonly version: number;
  readonly result: RebuildResult;
  /** Why it failed, a sentence. */
  readonly reason?: string;
  /** RFC 3339 UTC. */
  readonly endedAt: string;
  /** Documents that were compared. */
  readonly documents: number;
  /** Of what was built, from the log. */
  readonly differences: FoundDifferences;
  /** Of the version that was live meanwhile, from the log, each at its own revisions: what a switch mends. */
  readonly mended: FoundDifferences;
}

export interface FoundDifferences {
  readonly count: number;
  /** The first few. */
  readonly first: readonly FoundDifference[];
}

export interface FoundDifference {
  readonly key: string;
  /** JSON pointer into the document, `''` for all of it. */
  readonly path: string;
  /** What the log says and what is stored: JSON, cut where it is long. */
  readonly expected: string;
  readonly actual: string;
  /** Position of the event from which on it went astray, if there is one. */
  readonly divergedAt: string | null;
}
