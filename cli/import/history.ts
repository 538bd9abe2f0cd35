import type { NewEvent } from '@waybill/shared-kernel/message.js';

/** Events of one stream that are appended together. */
export interface HistoryStep {
  readonly stream: string;
  /** Revision at which the stream stands before it: −1, or that of the step before it of the same stream. */
  readonly expectedRevision: number;
  readonly events: readonly NewEvent[];
  /**
   * RFC 3339 UTC with milliseconds; steps are appended in its order. When it happened, or, where a source says
   * that something happened before its own beginning, that beginning.
   */
  readonly at: string;
}

/** What happened to one order, oldest step first; no step is before the first. */
export interface History {
  readonly orderId: string;
  readonly steps: readonly HistoryStep[];
}
