import { assertShared, readConfig, type Config } from './config.js';
import { joinDataFolder } from './data-folder.js';
import { startTelemetry, type Telemetry } from '../telemetry/telemetry.js';
import { processDependencies, type ProcessDependencies } from './process-dependencies.js';

/** One of several processes that together are Waybill: what each of them begins with. */
export interface Part extends ProcessDependencies {
  readonly config: Config;
  readonly telemetry: Telemetry;
  /** Lets the data folder go. The last thing a process does. */
  release(): void;
}

/**
 * Reads the environment, and takes its share of the data folder if `usesFolder` says that it uses it. Throws
 * `BadConfiguration` or `BadDataFile`.
 */
export async function beginPart(name: string, usesFolder: (config: Config) => boolean): Promise<Part> {
  const config = readConfig();
  assertShared(config);
  const dependencies = processDependencies({ name, level: 'info' });
  const lock = usesFolder(config) ? await joinDataFolder(config.dataFolder) : undefined;
  const telemetry = await startTelemetry(name, config, dependencies.metrics);
  return { ...dependencies, config, telemetry, release: () => lock?.release() };
}
