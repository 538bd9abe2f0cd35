import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandomness, virtualClock, type VirtualClock } from '../../clock/seeded.js';
import { manualTimer, type ManualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import type { Entry } from '../simulator/ledger.js';
import { startSimulator, type Simulator, type SimulatorOptions } from '../simulator/server.js';

export const webhookSecret = 'shared with the gateway';

export interface SimulatorUnderTest extends Simulator {
  readonly clock: VirtualClock;
  readonly timer: ManualTimer;
  readonly ledgerFile: string;
  readonly faults: readonly Error[];
  /** `GET /v1/ledger`. */
  ledger(reference?: string): Promise<readonly Entry[]>;
  /** Another on the same file. */
  another(): Promise<Simulator>;
  /** Closes it and all others on its file, and removes that. */
  remove(): Promise<void>;
}

/** A simulator on a file of its own, whose time a test moves. */
export async function simulatorUnderTest(): Promise<SimulatorUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-simulator-'));
  const faults: Error[] = [];
  const clock = virtualClock('2026-01-01T00:00:00Z');
  const timer = manualTimer();
  const options: SimulatorOptions = {
    ledgerFile: join(folder, 'payment-simulator.sqlite'),
    webhookSecret,
    clock,
    timer,
    randomness: seededRandomness('simulator'),
    report: (fault) => faults.push(fault),
  };
  const simulator = await startSimulator(options);
  const opened = [simulator];
  return {
    ...simulator,
    ...options,
    clock,
    timer,
    faults,
    ledger: async (reference) => {
      const search = reference === undefined ? '' : `?reference=${reference}`;
      const response = await fetch(`${simulator.url}/v1/ledger${search}`);
      const { entries } = (await response.json()) as { entries: readonly Entry[] };
      return entries;
    },
    another: async () => {
      const another = await startSimulator(options);
      opened.push(another);
      return another;
    },
    remove: async () => {
      await Promise.all(opened.map((one) => one.close().catch(() => undefined)));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
