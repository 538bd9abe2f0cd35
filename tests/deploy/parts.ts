import { nodeModule } from '../house/node.js';

const { stdout } = await nodeModule(
  `import { parts } from './bootstrap/parts.mjs'; process.stdout.write(JSON.stringify(parts));`,
);

/** The processes that can be started, by name: where each is compiled to. See `bootstrap/parts.mjs`. */
export const parts = JSON.parse(stdout) as Readonly<Record<string, string>>;
