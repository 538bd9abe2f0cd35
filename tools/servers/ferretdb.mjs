// Installs FerretDB with Go and runs it on SQLite: a second server that speaks MongoDB's protocol, for tests. See
// serve.mjs. It is no MongoDB where writers meet: it reads, then writes, and what came in between is lost.
// `node tools/servers/ferretdb.mjs [port] [folder]`.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder, serve } from './serve.mjs';

const version = 'v1.24.2';
const program = join(cacheFolder, `ferretdb-${version}`);

if (!existsSync(program)) {
  process.stderr.write('Building FerretDB, which takes some minutes …\n');
  const workplace = mkdtempSync(join(tmpdir(), 'waybill-ferretdb-'));
  try {
    build(workplace);
  } finally {
    rmSync(workplace, { recursive: true, force: true });
  }
}

/** Not with `go install`: it leaves out the file with the version, without which the program refuses to start. */
function build(workplace) {
  const go = (args, cwd, env) =>
    execFileSync('go', args, { cwd, env: { ...process.env, ...env }, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] });
  const { Dir: module } = JSON.parse(
    go(['mod', 'download', '-json', `github.com/FerretDB/FerretDB@${version}`], workplace),
  );
  const source = join(workplace, 'source');
  cpSync(module, source, { recursive: true });
  const versionFolder = join(source, 'build', 'version');
  chmodSync(versionFolder, 0o755);
  writeFileSync(join(versionFolder, 'version.txt'), `${version}\n`);
  const draft = join(workplace, 'ferretdb');
  go(['build', '-trimpath', '-o', draft, './cmd/ferretdb'], source, { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' });
  mkdirSync(cacheFolder, { recursive: true });
  cpSync(draft, `${program}.${process.pid}`);
  renameSync(`${program}.${process.pid}`, program);
}

await serve('mongodb', (port, folder) => {
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  return [
    program,
    '--handler=sqlite',
    `--listen-addr=127.0.0.1:${port}`,
    '--debug-addr=-',
    '--telemetry=disable',
    '--log-level=WARN',
    `--state-dir=${folder}`,
    `--sqlite-url=file:${data}/`,
  ];
});
