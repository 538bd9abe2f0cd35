import { fileURLToPath } from 'node:url';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

// EventStoreDB's protocol in words of our own (`protocol/*.proto`), as far as the stand-in speaks it: no client's
// generated code, so that any client can be tried on it. Of a `oneof` the one that is set is there.

export interface Uuid {
  readonly string?: string;
  readonly structured?: { readonly mostSignificantBits?: string; readonly leastSignificantBits?: string };
}

export type Empty = Readonly<Record<string, never>>;

export interface StreamIdentifier {
  readonly streamName: Uint8Array;
}

export interface Position {
  readonly commitPosition: string;
  readonly preparePosition: string;
}

export interface ExpectedOptions {
  readonly streamIdentifier: StreamIdentifier;
  readonly revision?: string;
  readonly noStream?: Empty;
  readonly any?: Empty;
  readonly streamExists?: Empty;
}

export interface ReadOptions {
  readonly stream?: { readonly streamIdentifier: StreamIdentifier; readonly revision?: string };
  readonly all?: { readonly position?: Partial<Position> };
  readonly readDirection?: 'FORWARDS' | 'BACKWARDS';
  readonly count?: string;
  readonly subscription?: Empty;
  readonly filter?: { readonly streamIdentifier?: Expression; readonly eventType?: Expression };
}

export interface Expression {
  readonly regex?: string;
  readonly prefix?: readonly string[];
}

export interface ReadRequest {
  readonly options: ReadOptions;
}

export interface RecordedEvent {
  readonly id: Uuid;
  readonly streamIdentifier: StreamIdentifier;
  readonly streamRevision: string;
  readonly preparePosition: string;
  readonly commitPosition: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly customMetadata: Uint8Array;
  readonly data: Uint8Array;
}

export interface ReadResponse {
  readonly event?: { readonly event: RecordedEvent; readonly commitPosition: string };
  readonly confirmation?: { readonly subscriptionId: string };
  readonly streamNotFound?: { readonly streamIdentifier: StreamIdentifier };
}

export interface ProposedMessage {
  readonly id: Uuid;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly customMetadata?: Uint8Array;
  readonly data?: Uint8Array;
}

export interface AppendRequest {
  readonly options?: ExpectedOptions;
  readonly proposedMessage?: ProposedMessage;
}

export interface AppendResponse {
  readonly success?: { readonly currentRevision: string; readonly position?: Position; readonly noPosition?: Empty };
  readonly wrongExpectedVersion?: {
    readonly currentRevision?: string;
    readonly currentNoStream?: Empty;
    readonly expectedRevision?: string;
    readonly expectedAny?: Empty;
    readonly expectedStreamExists?: Empty;
    readonly expectedNoStream?: Empty;
  };
}

export interface DeleteRequest {
  readonly options: ExpectedOptions;
}

export interface DeleteResponse {
  readonly position: Position;
}

export interface SupportedMethods {
  readonly methods: readonly { readonly methodName: string; readonly serviceName: string }[];
  readonly eventStoreServerVersion: string;
}

export interface ClusterInfo {
  readonly members: readonly {
    readonly instanceId: Uuid;
    readonly timeStamp: string;
    readonly state: 'LEADER' | 'FOLLOWER';
    readonly isAlive: boolean;
    readonly httpEndPoint: { readonly address: string; readonly port: number };
  }[];
}

// From `dist`, where this is run, to where it is kept.
const folder = fileURLToPath(new URL('../../../../event-store/eventstoredb/testing/protocol', import.meta.url));
const definitions = loadSync(['streams.proto', 'server-features.proto', 'gossip.proto'], {
  includeDirs: [folder],
  longs: String,
  enums: String,
});

function service(name: string): ServiceDefinition {
  return definitions[`event_store.client.${name}`] as ServiceDefinition;
}

export const streamsService = service('streams.Streams');
export const serverFeaturesService = service('server_features.ServerFeatures');
export const gossipService = service('gossip.Gossip');
