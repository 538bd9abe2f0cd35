/** An event before it has an envelope: what a decider decides and a fold takes. */
export interface DomainEvent {
  readonly type: string;
  readonly data: object;
}

/**
 * An aggregate as pure functions (Chassaing's decider). No clock, no randomness, no I/O: times and ids arrive in the
 * command. No events is a legal outcome, and what a command that comes twice must lead to. A refusal is thrown as one
 * of `errors.ts`.
 */
export interface Decider<Command, State, Event extends DomainEvent> {
  readonly initialState: State;
  readonly decide: (command: Command, state: State) => readonly Event[];
  /** Total over every event of the stream, in any order in which imported history may bring them. */
  readonly evolve: (state: State, event: Event) => State;
  /**
   * Set where states are kept as snapshots, because a stream may grow long: they are then made of JSON and bounded in
   * size. It rises with every change of what `evolve` makes of a stream, in shape or in meaning, and older ones are
   * made anew.
   */
  readonly stateVersion?: number;
}
