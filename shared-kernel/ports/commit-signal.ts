/**
 * Wakes reads that wait for a read model when a partition was committed. It is only a help: it may be late, come for
 * nothing or not at all, so a waiting read also looks by itself now and then.
 */
export interface CommitSignal {
  /** Calls `wake` after each commit to a partition of any read model, until the returned function is called. */
  listen(partition: number, wake: () => void): () => void;
}
