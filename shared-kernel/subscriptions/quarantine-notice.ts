/** Something was quarantined: for the log and the metrics of a process. It holds no personal data. */
export interface QuarantineNotice {
  /** Of whom: a read model, or the process manager. */
  readonly projection: string;
  /** Of the document; of the order. */
  readonly key: string;
  /** What could not be applied. */
  readonly event: { readonly id: string; readonly stream: string; readonly type: string };
  readonly error: string;
}

export type ReportQuarantine = (notice: QuarantineNotice) => void;
