import { RuleViolated } from '@waybill/shared-kernel/errors.js';

/** The refusal of every command on what was imported: it is history, and nothing acts on it. */
export function importedHistory(what: string, id: string): RuleViolated {
  return new RuleViolated('imported-history', `The ${what} ${id} is imported history and accepts no commands.`);
}
