import { setTimeout as sleep } from 'node:timers/promises';
import type { SentCommands } from './sent-commands.js';
import { waitUntil } from './wait-until.js';

const clients = 3;
/** Of each client between two commands: what is tried is faults, not speed. Milliseconds. */
const pace = 60;

/** Clients that send commands one after the other, whatever becomes of them. */
export class SteadyLoad {
  readonly #commands: SentCommands;
  readonly #clients: Promise<unknown>;
  #stopping = false;

  /** `url` gives the write API of the moment, if there is one. */
  constructor(commands: SentCommands, url: () => string | undefined) {
    this.#commands = commands;
    const work = async (): Promise<void> => {
      while (!this.#stopping) {
        const present = url();
        if (present !== undefined) await commands.placeAndPerhapsCancel(present);
        await sleep(pace);
      }
    };
    this.#clients = Promise.all(Array.from({ length: clients }, work)).then(() =>
      waitUntil('every command is answered', () => {
        const present = url();
        return present !== undefined && commands.repeatUnanswered(present);
      }),
    );
    // Told by `stop`.
    this.#clients.catch(() => undefined);
  }

  /** Resolves when so many more were answered. */
  async answered(count: number): Promise<void> {
    const enough = this.#commands.answered.length + count;
    const answered = waitUntil(`${count} more commands are answered`, () => this.#commands.answered.length >= enough);
    await Promise.race([answered, this.#clients]);
  }

  /** Resolves when every command that was sent is answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#clients;
  }
}
