import { dataFiles, readConfig } from '../../process/config.js';
import { joinDataFolder } from '../../process/data-folder.js';
import { processDependencies } from '../../process/process-dependencies.js';
import { runProcess } from '../../process/run-process.js';
import { webhookSecretOf } from '../webhook-secret.js';
import { startSimulator } from './server.js';

// A payment gateway to try things with, in a process of its own: `npm run start:payment-simulator`.

await runProcess(async () => {
  const config = readConfig();
  const { host, simulatorPort: port, dataFolder, webhookUrl } = config;
  const dependencies = processDependencies({ name: 'payment-simulator', level: 'info' });
  const lock = await joinDataFolder(dataFolder);
  const simulator = await startSimulator({
    ...dependencies,
    host,
    port,
    ledgerFile: dataFiles(dataFolder).paymentLedger,
    webhookSecret: webhookSecretOf(config, dependencies.randomness),
    report: (fault) => dependencies.report(fault, 'payment simulator'),
  });
  if (webhookUrl !== undefined) simulator.notifyAt(webhookUrl);
  return {
    greeting: `A simulated payment gateway is running: ${simulator.url}  Webhooks go ${webhookUrl === undefined ? 'nowhere' : `to ${webhookUrl}`}.\n`,
    stop: async () => {
      await simulator.close();
      lock.release();
    },
  };
});
