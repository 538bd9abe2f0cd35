import type { Lease } from '@waybill/shared-kernel/ports/lease.js';

/** A lease as it stands in a store. Nobody's time is in it: those who watch it measure how long it stands still. */
export interface LeaseRecord {
  readonly name: string;
  /** Null once it was released. */
  readonly owner: string | null;
  readonly token: number;
  /** Renewals since it was taken. */
  readonly beat: number;
  /** For how long it was taken or renewed last, milliseconds. */
  readonly ttl: number;
}

/** Where the records stand. Each change is atomic, conditional and, when it resolves, there for everyone. */
export interface LeaseRecords {
  find(name: string): Promise<LeaseRecord | undefined>;
  /** Those whose names begin with `prefix`, by name. */
  list(prefix: string): Promise<readonly LeaseRecord[]>;
  /** Where there is none of the name; else false. */
  insert(record: LeaseRecord): Promise<boolean>;
  /** Where token and beat still are those of `present`; else false. */
  replace(present: LeaseRecord, record: LeaseRecord): Promise<boolean>;
  /** One beat more for each where token and owner are these; answers with those, in one question. */
  beat(leases: readonly Lease[], ttl: number): Promise<readonly Lease[]>;
  /** No owner any more, where token and owner are these. */
  vacate(name: string, owner: string, token: number): Promise<void>;
  close(): Promise<void>;
}
