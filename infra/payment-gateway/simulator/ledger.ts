import { epochMs, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { GatewayStatus } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import { openDatabase, type Database, type Schema, type Statement } from '../../sqlite/database.js';
import { WriteGroup } from '../../sqlite/write-group.js';
import { fallDue, receive, type Asked, type EntryKind, type PaymentDecision, type Payment } from './payment.js';

/** Money that was moved or reserved, or let go. */
export interface Entry {
  /** RFC 3339 UTC. */
  readonly at: string;
  readonly reference: string;
  readonly kind: EntryKind;
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
}

/** A webhook that nobody has taken yet. */
export interface UndeliveredWebhook {
  readonly sequence: number;
  /** JSON. */
  readonly body: string;
}

/** Of the file. */
export const schema: Schema = {
  applicationId: 0x5742_5053,
  version: 1,
  migrate: (database) => {
    database.exec(`
      CREATE TABLE payments (
        reference TEXT PRIMARY KEY,
        status TEXT NOT NULL,
        amount INTEGER,
        currency TEXT,
        reason TEXT,
        decides_at INTEGER
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX undecided ON payments (decides_at) WHERE decides_at IS NOT NULL;
      CREATE TABLE entries (
        sequence INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        reference TEXT NOT NULL,
        kind TEXT NOT NULL,
        amount INTEGER NOT NULL,
        currency TEXT NOT NULL,
        UNIQUE (reference, kind)
      ) STRICT;
      CREATE TABLE webhooks (sequence INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL) STRICT;`);
  },
};

type PaymentRow = [string, string, number | null, string | null, string | null, number | null];
type EntryRow = [number, string, string, number, string];

const namespace = '5f2a6f0e-6a3a-4d0f-8a55-0c2f4b1d7e90';

/**
 * The payments of the simulated gateway, what was booked of them, and the webhooks that are to be sent: in one file, so
 * that a process that was killed remembers, and several on one file agree.
 */
export class Ledger {
  readonly #database: Database;
  readonly #group: WriteGroup;
  readonly #clock: WallClock;
  readonly #find: Statement<PaymentRow>;
  readonly #due: Statement<PaymentRow>;
  readonly #next: Statement<[number | null]>;
  readonly #keep: Statement<[]>;
  readonly #book: Statement<[]>;
  readonly #queue: Statement<[]>;
  readonly #undelivered: Statement<[number, string]>;
  readonly #markDelivered: Statement<[]>;
  readonly #entries: Statement<EntryRow>;

  /** Throws `BadDataFile` or `Unavailable`. */
  constructor(file: string, clock: WallClock) {
    // NORMAL: the disk belongs to the log, and no money is lost with these books when the power is cut.
    const database = openDatabase(file, {
      what: 'payment simulator',
      schema,
      synchronous: 'NORMAL',
      cacheMegabytes: 2,
    });
    const columns = 'reference, status, amount, currency, reason, decides_at';
    this.#database = database;
    this.#group = new WriteGroup(database);
    this.#clock = clock;
    this.#find = database.prepare(`SELECT ${columns} FROM payments WHERE reference = ?`);
    this.#due = database.prepare(`SELECT ${columns} FROM payments WHERE decides_at <= ?`);
    this.#next = database.prepare('SELECT min(decides_at) FROM payments WHERE decides_at IS NOT NULL');
    this.#keep = database.prepare(`INSERT OR REPLACE INTO payments (${columns}) VALUES (?, ?, ?, ?, ?, ?)`);
    this.#book = database.prepare('INSERT INTO entries (at, reference, kind, amount, currency) VALUES (?, ?, ?, ?, ?)');
    this.#queue = database.prepare('INSERT INTO webhooks (body) VALUES (?)');
    this.#undelivered = database.prepare('SELECT sequence, body FROM webhooks ORDER BY sequence LIMIT 100');
    this.#markDelivered = database.prepare('DELETE FROM webhooks WHERE sequence = ?');
    this.#entries = database.prepare(
      'SELECT at, reference, kind, amount, currency FROM entries WHERE ?1 IS NULL OR reference = ?1 ORDER BY sequence',
    );
  }

  /** What a request came to, once that outlives the process. */
  receive(asked: Asked): Promise<PaymentDecision> {
    return this.#group.commit(() => {
      const now = epochMs(this.#clock);
      const payment = this.#payment(asked.reference);
      const outcome = receive(payment, asked, now);
      if (outcome.payment !== payment) this.#write(outcome, now);
      return outcome;
    });
  }

  /** Decides the pending payments whose time has come, and says when the next one is due. */
  decide(): Promise<number | undefined> {
    return this.#group.commit(() => {
      const now = epochMs(this.#clock);
      for (const row of this.#due.all(now)) {
        const outcome = fallDue(paymentOf(row), now);
        if (outcome !== undefined) this.#write(outcome, now);
      }
      return this.#next.get()?.[0] ?? undefined;
    });
  }

  /** Has a webhook tell how a payment stands, if it is decided. */
  tell(reference: string): Promise<void> {
    return this.#group.commit(() => {
      const payment = this.#payment(reference);
      if (payment !== undefined) this.#tell(payment, epochMs(this.#clock));
    });
  }

  /** The oldest webhooks that nobody has taken. */
  undelivered(): readonly UndeliveredWebhook[] {
    return this.#undelivered.all().map(([sequence, body]) => ({ sequence, body }));
  }

  /** It was taken, or is given up. */
  markDelivered(sequence: number): Promise<void> {
    return this.#group.commit(() => void this.#markDelivered.run(sequence));
  }

  /** In the order in which they were booked, of one payment or of all. */
  entries(reference?: string): readonly Entry[] {
    return this.#entries.all(reference ?? null).map(([at, of, kind, amount, currency]) => ({
      at: new Date(at).toISOString(),
      reference: of,
      kind: kind as EntryKind,
      amount,
      currency,
    }));
  }

  async close(): Promise<void> {
    await this.#group.idle();
    this.#database.close();
  }

  #payment(reference: string): Payment | undefined {
    const row = this.#find.get(reference);
    return row === undefined ? undefined : paymentOf(row);
  }

  #write({ payment, booked, webhooks }: PaymentDecision, now: number): void {
    if (payment === undefined) return;
    const { reference, status, amount, currency, reason, decidesAt } = payment;
    this.#keep.run(reference, status, amount, currency, reason, decidesAt);
    for (const kind of booked) this.#book.run(now, reference, kind, amount, currency);
    for (let webhook = 0; webhook < webhooks; webhook += 1) this.#tell(payment, now);
  }

  #tell({ reference, status, amount, currency, reason }: Payment, now: number): void {
    if (status === 'pending' || status === 'failed') return;
    const type = `payment.${status}`;
    const webhook: Webhook = {
      // The same in every delivery.
      id: uuidV5(`${type} ${reference}`, namespace),
      type,
      reference,
      status,
      amount,
      currency,
      ...(reason === null ? {} : { reason }),
      at: new Date(now).toISOString(),
    };
    this.#queue.run(JSON.stringify(webhook));
  }
}

/** What a webhook says. */
export interface Webhook {
  readonly id: string;
  /** `payment.authorised` … */
  readonly type: string;
  readonly reference: string;
  readonly status: GatewayStatus;
  readonly amount: number | null;
  readonly currency: string | null;
  readonly reason?: string;
  readonly at: string;
}

function paymentOf([reference, status, amount, currency, reason, decidesAt]: PaymentRow): Payment {
  return { reference, status: status as Payment['status'], amount, currency, reason, decidesAt };
}
