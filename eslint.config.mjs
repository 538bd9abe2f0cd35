import tseslint from 'typescript-eslint';
import { fileName } from './tools/lint/file-name.mjs';
import { pureFiles } from './pure-files.mjs';

const sides = ['shared-kernel', 'command-side', 'projections', 'query-side', 'cli'].map((side) => `${side}/**/*.ts`);
const tests = ['**/*.test.ts', '**/*.contract.ts', '**/testing/**/*.ts', 'tests/**/*.ts'];

/** Time and chance are injected (`shared-kernel/ports/clock.ts`), so that a seed gives the same log. */
const clockAndChance = [
  {
    selector: "MemberExpression[object.name='Date'][property.name='now']",
    message: 'Time is injected: take a Clock, or the time from the command.',
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date']",
    message: 'Time is injected: take a Clock, or the time from the command.',
  },
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: 'Chance is injected: take Randomness.',
  },
  {
    selector: 'CallExpression[callee.property.name=/^(randomUUID|randomBytes|getRandomValues)$/]',
    message: 'Chance is injected: take Randomness.',
  },
  {
    selector: 'ImportSpecifier[imported.name=/^(randomUUID|randomBytes|randomInt|getRandomValues|webcrypto)$/]',
    message: 'Chance is injected: take Randomness.',
  },
];

/** What a function needs of a port has a name of its own beside the port: `LogReader`, `DocumentStore`. */
const roleOfPort = {
  selector: [
    ':matches(TSTypeReference[typeName.name=/^(Pick|Omit)$/], ',
    'TSInterfaceHeritage[expression.name=/^(Pick|Omit)$/], TSClassImplements[expression.name=/^(Pick|Omit)$/])',
    '[typeArguments.params.0.typeName.name=',
    '/^(Broker|EventStore|KeyStore|LeaseStore|PaymentGateway|Randomness|ReadStore|RequestReply|SnapshotStore)$/]',
  ].join(''),
  message: 'Ask for a role of the port: it has a name beside the port, or gets one there.',
};

/** What a decision or a fold never needs. */
const outsideWorld = [
  'process',
  'console',
  'fetch',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'performance',
  'crypto',
];

export default tseslint.config(
  { ignores: ['**/dist/', '**/node_modules/', 'coverage/', 'tests/house/fixtures/', 'waybill-data/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { house: { rules: { 'file-name': fileName } } },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'house/file-name': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        {
          argsIgnorePattern: '^_',
          varsIgnorePattern: '^_',
          destructuredArrayIgnorePattern: '^_',
          ignoreRestSiblings: true,
        },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-empty-function': ['error', { allow: ['arrowFunctions'] }],
      // `environment['NAME']`: the name is data, not a property of ours.
      // And what a client of a server keeps protected can be asked for in no other way.
      '@typescript-eslint/dot-notation': [
        'error',
        { allowIndexSignaturePropertyAccess: true, allowProtectedClassPropertyAccess: true },
      ],
      // An empty string in the environment or a form is one that was not given.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      // DTOs are classes because their decorators are their schema.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // `noUncheckedIndexedAccess` makes `!` the short form of "this index is known to be there".
      '@typescript-eslint/no-non-null-assertion': 'off',
      // What a port promises is a promise also where an adapter has nothing to wait for; `async` turns throws into it.
      '@typescript-eslint/require-await': 'off',
      // A type alias has the implicit index signature that JSON needs, an interface has not.
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      // A generic that only names what comes back (`body<Order>()`) is how tests say what they read.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // Types are structural here on purpose.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
    },
  },
  { files: ['**/*.ts'], rules: { 'no-restricted-syntax': ['error', roleOfPort] } },
  { files: sides, rules: { 'no-restricted-syntax': ['error', roleOfPort, ...clockAndChance] } },
  {
    files: pureFiles,
    rules: {
      'no-restricted-globals': [
        'error',
        ...outsideWorld.map((name) => ({
          name,
          message: 'Deciders and folds touch nothing outside: see pure-files.mjs.',
        })),
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['node:*'], message: 'Deciders and folds touch nothing outside: see pure-files.mjs.' }] },
      ],
    },
  },
  { files: tests, rules: { 'no-restricted-syntax': ['error', roleOfPort] } },
  {
    files: ['**/*.mjs'],
    extends: [tseslint.configs.recommended],
    plugins: { house: { rules: { 'file-name': fileName } } },
    rules: { 'house/file-name': 'error' },
  },
);
