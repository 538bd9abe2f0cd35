import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Chance } from './chance.js';
import type { Gateway } from './gateway.js';
import type { Schedule } from './schedule.js';
import type { Tally } from './tally.js';
import type { WatchedLog } from './watched-log.js';
import type { Weather } from './weather.js';
import type { WriteApis } from './write-apis.js';

/** What those have in common who live through a week. */
export interface World {
  readonly seed: string;
  readonly schedule: Schedule;
  readonly chance: Chance;
  readonly tally: Tally;
  readonly weather: Weather;
  readonly log: WatchedLog;
  readonly keys: KeyStore;
  /** Of the read models. */
  readonly readStore: ReadStore;
  /** Of the process manager. */
  readonly positions: ReadStore;
  readonly gateway: Gateway;
  readonly apis: WriteApis;
  /** What was seen to be wrong on the way. */
  readonly amiss: string[];
}
