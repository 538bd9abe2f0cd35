import type { LogPages } from '../ports/event-store.js';
import type { UuidSource } from '../ports/clock.js';
import type { LogIdentityStore } from '../ports/read-store.js';
import { firstEvent } from '../read-stream.js';

/**
 * What tells messages of a log from those of another that a queue may still hold: its first event and where that stands,
 * as it was noted once, so that it stays though that event is scavenged. `undefined`: it has no event yet.
 */
export type LogIdentity = () => Promise<string | undefined>;

export interface IdentityDependencies {
  readonly store: LogPages;
  readonly readStore: LogIdentityStore;
}

/** The identity that is noted in a read store, beside the positions that are of that log; it is noted if it is not. */
export function notedIdentity({ store, readStore }: IdentityDependencies): LogIdentity {
  return async () => {
    const noted = await readStore.madeFrom();
    if (noted !== undefined) return noted;
    const first = await firstEvent(store);
    if (first === undefined) return undefined;
    await readStore.noteMadeFrom(`${first.position}:${first.id}`);
    return readStore.madeFrom();
  };
}

/**
 * Gives the log another identity: it turned out to be another than the one that was followed, or an older state of it,
 * so that no message of that is taken for one of this.
 */
export async function renewIdentity({ store, readStore }: IdentityDependencies, randomness: UuidSource): Promise<void> {
  const [noted, first] = await Promise.all([readStore.madeFrom(), firstEvent(store)]);
  await readStore.noteMadeFrom(`${first?.position ?? 0}:${first?.id ?? ''}:${randomness.uuid()}`, noted);
}
