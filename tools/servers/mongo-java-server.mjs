// Installs mongo-java-server with Maven (needs a JDK from 17 on) and runs it: a server that speaks MongoDB's protocol,
// for tests. `node tools/servers/mongo-java-server.mjs [port] [folder]`, see serve.mjs.
import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder, serve } from './serve.mjs';

const source = fileURLToPath(new URL('mongo-java-server', import.meta.url));
const jars = join(cacheFolder, 'mongo-java-server-1.47.0');

install();

await serve('mongodb', (port, folder) => [
  'java',
  '-Xmx512m',
  // One thread that collects garbage and one quick compiler: runs are short, and processors few.
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dslf4j.internal.verbosity=ERROR',
  '-Dio.netty.eventLoopThreads=64', // a command holds up its thread
  '-cp',
  join(jars, '*'),
  join(source, 'Serve.java'),
  String(port),
  join(folder, 'data.mv'),
]);

function install() {
  const attempts = 3;
  for (let attempt = 1; !existsSync(jars); attempt += 1) {
    process.stderr.write('Installing mongo-java-server …\n');
    // Under another name until it is whole.
    const draft = `${jars}.${process.pid}`;
    const pom = join(source, 'pom.xml');
    const goal = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${draft}`];
    try {
      execFileSync('mvn', goal, { stdio: ['ignore', 'ignore', 'inherit'], timeout: 180_000 });
      if (!existsSync(jars)) renameSync(draft, jars);
    } catch (error) {
      if (attempt === attempts) throw error;
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }
}
