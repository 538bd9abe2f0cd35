import { idPattern } from '@waybill/shared-kernel/stream.js';
import { accessTo, described, type AccessTable } from '../access.js';
import { roles } from '../identity/caller.js';
import type { ProblemKindName } from '../problem.js';
import { problemKinds } from '../problem.js';
import type { Method, Route } from '../route.js';

/** JSON Schema 2020-12, as OpenAPI 3.1 takes it. */
export type Schema = { readonly [keyword: string]: unknown };

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

export interface Header {
  readonly description?: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface ResponseObject {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  /** Role → the things that it reaches: `own`, `open` ones that are nobody's yet, or `any`. */
  readonly 'x-roles'?: Readonly<Record<string, object>>;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, ResponseObject>>;
}

export type PathItem = { readonly [method in Lowercase<Method>]?: Operation };

/** An OpenAPI 3.1 document, as plain JSON. Parameters, headers and responses stand where they are used; schemas are named. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly servers?: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, PathItem>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Readonly<Record<string, Schema>>;
  };
}

/** An object with these properties, all of them required but those named, and no others. */
export function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    properties,
  };
}

export function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

export function nullable(schema: Schema): Schema {
  return { anyOf: [schema, { type: 'null' }] };
}

export const id: Schema = { type: 'string', pattern: idPattern.source };
export const time: Schema = { type: 'string', format: 'date-time', description: 'RFC 3339 UTC.' };
export const revision: Schema = { type: 'integer', minimum: 0 };

const everyKind = Object.entries(problemKinds)
  .map(([kind, { status, title }]) => `- \`urn:waybill:problem:${kind}\` (${status}): ${title}.`)
  .join('\n');

export const currency: Schema = { type: 'string', pattern: '^[A-Z]{3}$', description: 'ISO 4217.' };

/** What both documents name. */
export const sharedSchemas = {
  Money: {
    ...object({
      amount: { type: 'integer', description: 'Minor units of the currency.' },
      currency,
    }),
    examples: [{ amount: 18000, currency: 'KRW' }],
  },
  Address: object({
    street: { type: 'string', minLength: 1, maxLength: 200, pattern: '\\S' },
    city: { type: 'string', minLength: 1, maxLength: 100, pattern: '\\S' },
    postalCode: { type: 'string', minLength: 1, maxLength: 20, pattern: '\\S' },
  }),
  Problem: {
    type: 'object',
    description: 'RFC 9457. The `type` is stable per kind; a kind may add members.',
    required: ['type', 'title', 'status', 'detail'],
    properties: {
      type: { type: 'string', pattern: '^urn:waybill:problem:[a-z-]+$', description: everyKind },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      errors: {
        type: 'array',
        items: object(
          {
            pointer: { type: 'string', description: 'RFC 6901, into the body; of a parameter: `/` and its name.' },
            detail: { type: 'string' },
            parameter: { type: 'string', description: 'The parameter or header, where it is not the body.' },
          },
          ['parameter'],
        ),
      },
      currentRevision: { type: 'integer', minimum: -1, description: 'Of `revision-mismatch`.' },
      degraded: {
        ...object({ since: time, reason: { type: 'string' } }),
        description: 'Of `quarantined`: since when, and which event stands in the way.',
      },
      rule: { type: 'string', description: 'Of `rule-violated`: which rule, for programs.' },
      limit: { type: 'string', description: 'Of `limit-reached`: which limit, for programs.' },
      stream: { type: 'string', description: 'Of `stream-cut`: the stream of which events are gone.' },
      firstRevision: {
        type: ['integer', 'null'],
        minimum: 0,
        description: 'Of `stream-cut`: revision of the first event that is left; null where none is.',
      },
      requestId: { type: 'string', description: 'Of a fault of the service: what to quote.' },
    },
  },
} as const satisfies Record<string, Schema>;

export const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: `Claims: sub, roles (of ${roles.join(', ')}).`,
  },
} as const;

const requestIdHeader: Header = {
  required: true,
  description: "The request's own id if it was sane, else a new one.",
  schema: { type: 'string', minLength: 1, maxLength: 128 },
};

/** Headers that both APIs take on every operation. */
export const commonParameters: readonly Parameter[] = [
  {
    name: 'X-Request-Id',
    in: 'header',
    description:
      'Comes back, and stands in the log beside faults. 1 to 128 of A-Z a-z 0-9 . _ ~ -; others count as absent.',
    schema: { type: 'string' },
  },
  {
    name: 'traceparent',
    in: 'header',
    description: 'W3C trace context; an invalid one counts as absent.',
    schema: { type: 'string' },
  },
];

/** The parameters in a path: ids, all of them. */
export function pathParameters(path: string): readonly Parameter[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name: name!, in: 'path', required: true, schema: id }));
}

/** An answer with a JSON body, or none. */
export function answer(
  description: string,
  schema?: Schema,
  headers: Readonly<Record<string, Header>> = {},
): ResponseObject {
  const every = { 'X-Request-Id': requestIdHeader, ...headers };
  return schema === undefined
    ? { description, headers: every }
    : { description, headers: every, content: { 'application/json': { schema } } };
}

const secondsToWait: Header = {
  required: true,
  description: 'Seconds.',
  schema: { type: 'string', pattern: '^[0-9]+$' },
};

const secondsThatMayHelp: Header = {
  ...secondsToWait,
  required: false,
  description: 'Seconds; absent where waiting does not help.',
};

const headersOfStatus: Readonly<Record<number, Readonly<Record<string, Header>>>> = {
  401: { 'WWW-Authenticate': { required: true, schema: { type: 'string' } } },
  405: { Allow: { required: true, schema: { type: 'string' } } },
  429: { 'Retry-After': secondsToWait },
  503: { 'Retry-After': secondsToWait },
};

/** What any request may meet, here or at the gateway. */
const anywhere: readonly ProblemKindName[] = [
  'malformed-request',
  'unauthenticated',
  'forbidden',
  'request-too-slow',
  'too-many-requests',
  'internal',
  'unavailable',
];

/** The responses of an operation that may end in these kinds of problem, or what any may, by status. */
export function problems(...ofOperation: readonly ProblemKindName[]): Readonly<Record<string, ResponseObject>> {
  const kinds = [...new Set([...ofOperation, ...anywhere])];
  const responses: Record<string, ResponseObject> = {};
  for (const kind of kinds) {
    const { status } = problemKinds[kind];
    const sameStatus = kinds.filter((other) => problemKinds[other].status === status);
    responses[status] = {
      description: sameStatus.map((each) => `\`${each}\`: ${problemKinds[each].title}.`).join(' '),
      headers: {
        'X-Request-Id': requestIdHeader,
        ...headersOfStatus[status],
        ...(sameStatus.includes('limit-reached') && { 'Retry-After': secondsThatMayHelp }),
      },
      content: { 'application/problem+json': { schema: reference('Problem') } },
    };
  }
  return responses;
}

/** The route's path as OpenAPI writes it. */
export function openApiPath(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}');
}

/** What a document and the routes it describes disagree about, a sentence each; empty when they agree. */
export function differences(document: OpenApiDocument, routes: readonly Route[]): readonly string[] {
  const served = new Set(routes.map((route) => `${route.method} ${openApiPath(route.path)}`));
  const described = new Set(
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  );
  return [
    ...[...served].filter((operation) => !described.has(operation)).map((operation) => `not described: ${operation}`),
    ...[...described].filter((operation) => !served.has(operation)).map((operation) => `not served: ${operation}`),
  ];
}

/** What an operation's description, security and `x-roles` say of who may call it. Throws where the table says nothing. */
export function whoMay(
  table: AccessTable,
  method: Method,
  path: string,
  description = '',
): Required<Pick<Operation, 'description' | 'security' | 'x-roles'>> {
  const access = accessTo(table, method, path);
  if (access === undefined) throw new Error(`nobody may ${method} ${path}: what is nobody's is not described`);
  if (access === 'signed') return { description, security: [{ signature: [] }], 'x-roles': {} };
  const { words, roles: reached } = described(access);
  return {
    description: [description, words].filter((sentence) => sentence !== '').join(' '),
    security: [{ bearer: [] }],
    'x-roles': reached,
  };
}
