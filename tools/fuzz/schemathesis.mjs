import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Explained } from '../../bootstrap/explained.mjs';
import { requirePackages } from '../servers/packages.mjs';
import { root } from '../../bootstrap/root.mjs';
import { run } from '../../bootstrap/run.mjs';

/** What installing it may take, milliseconds. */
const installLimit = 240_000;
/** How much longer than asked a run may take before it is ended, milliseconds: one request may be under way. */
const tidyingTime = 30_000;

/** Everything that it finds wrong but what means "this was refused for reasons that no schema tells". */
const checks = ['--checks', 'all', '--exclude-checks', 'positive_data_acceptance'];

/** What it needs on this machine, as `servers/packages.mjs` takes it. */
export const pythonNeeds = [{ what: 'Python with venv', package: 'python3-venv', isThere: hasPython }];

function hasPython() {
  return spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' }).status === 0;
}

/**
 * Schemathesis of PyPI in a virtual environment of its own, in the version that `requirements.txt` pins. `folder` is
 * made, or used again when it holds the same. Gives the program's path; throws `Explained` where it cannot be installed.
 */
export async function installSchemathesis(folder) {
  const requirements = join(root, 'tools', 'fuzz', 'requirements.txt');
  const program = join(folder, 'bin', 'schemathesis');
  const stamp = join(folder, 'installed.txt');
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return program;
  requirePackages(pythonNeeds);
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'], timeout: installLimit };
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', requirements];
  const code =
    (await run('python3', ['-m', 'venv', '--clear', folder], quiet)) ||
    (await run(join(folder, 'bin', 'python'), pip, quiet));
  if (code !== 0) throw new Explained(`Schemathesis could not be installed from PyPI into ${folder} (${code}).`);
  writeFileSync(stamp, wanted);
  return program;
}

/**
 * Asks an API whatever its OpenAPI document allows, and much that it does not, for so many seconds, and checks each
 * answer against the document. `known` is what it should often meet: `path.orderId` → ids, and so on.
 * What it finds it prints. Gives its exit code, how many requests it made, and how many operations there are and it tried.
 */
export async function schemathesis(program, { url, token, known, seconds, seed, folder, name }) {
  const config = join(folder, `${name}.toml`);
  const report = join(folder, `${name}.json`);
  const said = join(folder, `${name}.log`);
  writeFileSync(config, configOf(known));
  const log = openSync(said, 'w');
  const code = await run(
    program,
    [
      ...['--config-file', config, '--no-color', 'run', `${url}/openapi.json`],
      ...['--header', `Authorization: Bearer ${token}`],
      ...[...checks, '--continue-on-failure', '--warnings', 'off'],
      ...['--max-time', `${seconds}`, '--seed', `${seed}`, '--generation-database', 'none'],
      ...['--report', 'json', '--report-json-path', report],
    ],
    { cwd: folder, stdio: ['ignore', log, log], timeout: seconds * 1000 + tidyingTime },
  );
  closeSync(log);
  if (code !== 0) process.stdout.write(readFileSync(said, 'utf8'));
  const told = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined;
  const { total: operations, tested } = told?.operations ?? { total: 0, tested: 0 };
  return { code, cases: told?.test_cases.generated ?? 0, operations, tested };
}

/** TOML: its strings are written as JSON's are. */
function configOf(known) {
  const entries = Object.entries(known).filter(([, values]) => values.length > 0);
  const dictionaries = entries.map(
    ([name, values]) => `[dictionaries.${JSON.stringify(name)}]\nvalues = ${JSON.stringify(values)}\n`,
  );
  const parameters = entries.map(([name]) => {
    // Of a body all fields must fit together.
    const probability = name.startsWith('body.') ? 0.85 : 0.5;
    return `${JSON.stringify(name)} = { dictionary = ${JSON.stringify(name)}, probability = ${probability} }\n`;
  });
  return `${dictionaries.join('')}[parameters]\n${parameters.join('')}`;
}
