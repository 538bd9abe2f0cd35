/**
 * Tells those who wait for read models of what was written just now. A help: it may be late, come for nothing or not at
 * all, and whoever waits looks for themselves now and then.
 */
export interface CommitSignal {
  /** Has `wake` called after commits to a partition, of whichever read model, until the function is called that it answers. */
  listen(partition: number, wake: () => void): () => void;
}
