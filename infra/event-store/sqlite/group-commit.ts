import { setImmediate as nextTurn } from 'node:timers/promises';
import { whenFree } from '../../sqlite/when-free.js';
import type { AppendBatch, LogWriter, AppendOutcome } from './log-writer.js';

/** What became of a batch: the outcome of each append, or why none of them can be said to be in. */
export type Answer = { readonly outcomes: readonly AppendOutcome[] } | { readonly fault: unknown };

/** Commits all batches that wait at a moment as one group: one flush to disk for all of them. */
export class GroupCommit {
  readonly #writer: LogWriter;
  readonly #committed: () => void;
  readonly #answerTimeoutMs: number | undefined;
  #waiting: { batch: AppendBatch; answer: (answer: Answer) => void }[] = [];
  #running: Promise<void> | undefined;

  /** `committed` is called after a group has been answered. */
  constructor(writer: LogWriter, committed: () => void, answerTimeoutMs?: number) {
    this.#writer = writer;
    this.#committed = committed;
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  submit(batch: AppendBatch, answer: (answer: Answer) => void): void {
    this.#waiting.push({ batch, answer });
    this.#running ??= this.#run();
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await nextTurn();
      const group = this.#waiting;
      this.#waiting = [];
      const batches = group.map(({ batch }) => batch);
      const answers = await whenFree(() => this.#writer.commit(batches), this.#answerTimeoutMs).then(
        (results): Answer[] => results.map((outcomes) => ({ outcomes })),
        (fault: unknown): Answer[] => batches.map(() => ({ fault })),
      );
      for (const [index, answer] of answers.entries()) group[index]?.answer(answer);
      this.#committed();
    }
    this.#running = undefined;
  }
}
