/** What rarely needs changing. Times in milliseconds; each ends in `Unavailable`. */
export interface MongoDbTuning {
  /** What finding a server, or a free connection, may take: while the server is down everything fails after it. */
  readonly selectTimeout: number;
  /** What a question may take in all. */
  readonly readPatience: number;
  /** What a write may take in all. Much longer, since a batch that is given up begins anew. */
  readonly writePatience: number;
  /** What making indexes, or dropping a collection, may take in all. */
  readonly declarePatience: number;
  /** How often the server is looked after. A line that fell silent is given up at the second look. */
  readonly heartbeat: number;
  /**
   * Nothing but failures for so long, and the driver's client is replaced by a new one. The driver can lose the answer
   * to a command on a connection that ends as it is sent, and where that was the heartbeat's it waits for it for ever.
   */
  readonly renewAfter: number;
  /** Connections of one store at most. */
  readonly connections: number;
  /**
   * Writes of one store at a time. The others wait here, where it costs them neither a connection that a reader could
   * have nor their time limits: a projector of many partitions has them all write at once.
   */
  readonly writers: number;
}

export const mongoDbTuning: MongoDbTuning = {
  selectTimeout: 1_500,
  readPatience: 1_800,
  writePatience: 10_000,
  declarePatience: 60_000,
  heartbeat: 2_000,
  renewAfter: 3_000,
  connections: 20,
  writers: 8,
};
