import type { Aggregates } from '../handling/aggregates.js';
import type { Erasures } from '../customers/erasures.js';
import type { CommandHandler, CommandDependencies } from '../handling/handle-command.js';
import type { OrderAdmission } from '../ordering/admission.js';
import type { PaymentRecords } from '../payments/payment-records.js';

/** What the routes of the write API work with. */
export interface WriteDependencies extends Omit<CommandDependencies, 'store'> {
  readonly aggregates: Aggregates;
  readonly handler: CommandHandler;
  readonly erasures: Erasures;
  readonly payments: PaymentRecords;
  /** Without it every order is taken. */
  readonly admission?: OrderAdmission | undefined;
  /** What the payment gateway signs its notices with. */
  readonly webhookSecret: string;
  /** Base URL of the read API, without a slash at its end. */
  readonly publicReadUrl: string;
}
