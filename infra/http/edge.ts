import { steadyClock } from '../clock/steady.js';
import type { Config } from '../process/config.js';
import { RateLimit } from './rate-limit.js';

/** What both APIs refuse before they look at what is asked. */
export interface Edge {
  /** `undefined`: nobody is limited. */
  readonly rateLimit?: RateLimit | undefined;
  /** Origins whose pages may call; none unless given. */
  readonly corsOrigins?: readonly string[];
}

/** The edge of a process as configured: what it counts of whom, it counts over its APIs together. */
export function edgeOf({ rateLimit, corsOrigins }: Pick<Config, 'rateLimit' | 'corsOrigins'>): Edge {
  return { rateLimit: rateLimit === undefined ? undefined : new RateLimit(rateLimit, steadyClock), corsOrigins };
}
