import type { WatchAppend, WatchBatch, WatchPublish } from '@waybill/shared-kernel/watch.js';

/** The span of a request that is being answered. */
export interface RequestSpan {
  /** W3C trace context of the span: what the request causes belongs below it. */
  readonly traceparent: string;
  /** `route`: as declared. */
  end(route: string, status: number): void;
}

/** Begins the span of a request; `traceparent`: the caller's, if it was valid. */
export type TraceRequest = (method: string, traceparent: string | undefined) => RequestSpan;

/** What a process says of its work to a collector of traces. */
export interface Tracing {
  readonly request: TraceRequest;
  readonly append: WatchAppend;
  readonly publish: WatchPublish;
  readonly batch: WatchBatch;
  /** Sends what is left, for a few seconds at most. */
  close(): Promise<void>;
}

/** Which engines a process works with: attributes of its spans. */
export interface TracedEngines {
  readonly eventStore: string;
  readonly broker: string;
}
