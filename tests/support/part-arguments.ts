import { join } from 'node:path';
import { checkout } from '../house/checkout.js';

/** What Node is given to run a part, of those in `bootstrap/parts.mjs`, as it was compiled last. */
export function partArguments(name: string, ...words: readonly string[]): readonly string[] {
  return [join(checkout, 'infra/deploy/image/run.mjs'), name, ...words];
}
