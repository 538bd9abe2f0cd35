import { pureFiles } from './pure-files.mjs';

/**
 * The arrows of the house (docs/architecture.md), each with its reason. For every rule there is a small tree in
 * `tests/house/fixtures/boundaries/<rule>/` that breaks it, and a test that sees it caught.
 */
const tests = '\\.(test|contract)\\.ts$|/testing/|^tests/';
/** Where a process or a command is put together: the only places that know adapters. */
const compositionRoots = '^[^/]+\\.ts$|/main\\.ts$|^cli/';
const anyOf = (paths) => `^(${paths.map((path) => path.replaceAll('.', '\\.')).join('|')})$`;

export default {
  forbidden: [
    {
      name: 'kernel-knows-nobody',
      comment: 'shared-kernel is what all sides speak; if it imported one of them, all would depend on that one.',
      severity: 'error',
      from: { path: '^shared-kernel/' },
      to: { path: '^(infra|command-side|projections|query-side|cli|tests|bench)/|^[^/]+\\.ts$' },
    },
    {
      name: 'infra-knows-only-the-kernel',
      comment: 'An adapter fulfils a port; one that knew a use case could not serve another.',
      severity: 'error',
      from: { path: '^infra/' },
      to: { path: '^(command-side|projections|query-side|cli|tests|bench)/|^[^/]+\\.ts$' },
    },
    {
      name: 'write-side-stands-alone',
      comment: 'Writing needs the event store alone; it must go on when every read model is gone.',
      severity: 'error',
      from: { path: '^command-side/' },
      to: { path: '^(projections|query-side)/' },
    },
    {
      name: 'projections-stand-alone',
      comment: 'Read models are made of events only; deciders and APIs change without them.',
      severity: 'error',
      from: { path: '^projections/' },
      to: { path: '^(command-side|query-side)/' },
    },
    {
      name: 'read-side-never-writes',
      comment: 'A query that could reach a decider could one day record something.',
      severity: 'error',
      from: { path: '^query-side/' },
      to: { path: '^command-side/' },
    },
    {
      name: 'read-side-moves-no-read-model',
      comment:
        'Reads of the past fold the log with the functions of projections; what writes a read model or the log stays out.',
      severity: 'error',
      from: { path: '^query-side/', pathNot: tests },
      to: { path: '^projections/(audit|projecting)/' },
    },
    {
      name: 'command-line-is-the-top',
      comment: 'The command line composes all sides for people; what a process needs of it belongs below.',
      severity: 'error',
      from: { path: '^(command-side|projections|query-side)/|^[^/]+\\.ts$' },
      to: { path: '^cli/' },
    },
    {
      name: 'ports-not-adapters',
      comment:
        'Use cases know ports; which adapter is behind one is said in a composition root. Both APIs share infra/http.',
      severity: 'error',
      from: { path: '^(command-side|query-side)/', pathNot: [tests, compositionRoots] },
      to: { path: '^infra/(?!http/)' },
    },
    {
      name: 'projections-know-no-adapter',
      comment: 'Projecting is the same over every store and broker; only its process composes.',
      severity: 'error',
      from: { path: '^projections/', pathNot: [tests, compositionRoots] },
      to: { path: '^infra/' },
    },
    {
      name: 'deciding-touches-nothing-outside',
      comment: 'decide, evolve and fold are pure: no file, no socket, no clock, no process, not through others either.',
      severity: 'error',
      from: { path: anyOf(pureFiles) },
      to: {
        path: '^(node:)?(fs|net|tls|http|https|http2|dgram|dns|child_process|cluster|worker_threads|os|process|timers|perf_hooks|inspector|readline|repl)(/|$)',
        reachable: true,
      },
    },
    {
      name: 'deciding-knows-no-http',
      comment: 'An aggregate that imports a framework cannot be read, or replayed, without it.',
      severity: 'error',
      from: { path: anyOf(pureFiles) },
      to: { path: '^infra/|node_modules/(express|class-validator|class-transformer|pino)/' },
    },
    {
      name: 'one-file-knows-the-sqlite-driver',
      comment: 'So that another driver can take its place by changing one file (docs/decisions).',
      severity: 'error',
      from: {
        path: '^(shared-kernel|infra|command-side|projections|query-side|cli|[^/]+\\.ts)',
        pathNot: '^infra/sqlite/database(\\.test)?\\.ts$',
      },
      to: { path: '@photostructure/sqlite' },
    },
    {
      name: 'nobody-imports-a-process',
      comment: 'A main file composes and starts; what another needs of it belongs in a file of its own.',
      severity: 'error',
      from: {},
      to: { path: '(^|/)main\\.ts$' },
    },
    {
      name: 'tests-are-leaves',
      comment: 'What runs in production is built without tests; it cannot import them.',
      severity: 'error',
      from: { path: '\\.ts$', pathNot: tests },
      to: { path: tests },
    },
    {
      name: 'production-installs-it',
      comment: '`npm start` leaves out what only development needs; what runs must not import that.',
      severity: 'error',
      from: { path: '^(shared-kernel|infra|command-side|projections|query-side|cli|[^/]+\\.ts)', pathNot: tests },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '^node_modules/@types/' },
    },
    {
      name: 'every-import-resolves',
      comment: 'An import that only some machine has is a fault on all others.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-circles',
      comment: 'Files that import one another can only be understood together: they are one file, or three.',
      severity: 'error',
      from: {},
      // Those who live in the simulated week share one world.
      to: { circular: true, viaOnly: { pathNot: '^tests/simulation/' } },
    },
    {
      name: 'somebody-needs-it',
      comment: 'A file that nothing imports and that starts nothing is dead.',
      severity: 'error',
      from: { orphan: true, pathNot: [tests, '(^|/)main\\.ts$', '^[^/]+\\.ts$', '^infra/deploy/image/'] },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/|^[a-z-]+/dist/|^bench/|^tests/house/fixtures/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['source', 'import', 'node', 'default'] },
  },
};
