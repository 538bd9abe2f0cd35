import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import type { OpenApiDocument, Operation, Parameter, ResponseObject, Schema } from '../pages/openapi.js';

/** A request and its answer, as they went over the wire. */
export interface Exchange {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly requestHeaders: Headers;
  /** Parsed JSON; `undefined` for none. */
  readonly requestBody?: unknown;
  readonly status: number;
  readonly responseHeaders: Headers;
  /** Parsed JSON; `undefined` for none. */
  readonly responseBody?: unknown;
}

/** What the exchange does that the document does not say, a sentence each; empty when they agree. */
export type ExchangeCheck = (exchange: Exchange) => readonly string[];

interface Described {
  readonly operation: Operation;
  readonly pattern: RegExp;
}

function inWords(what: string, errors: readonly ErrorObject[] | null | undefined): readonly string[] {
  return (errors ?? []).map(
    (error) => `${what}${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`,
  );
}

/** A parameter's text as the value its schema speaks of. */
function valueOf(text: string, schema: Schema): unknown {
  return schema['type'] === 'integer' && /^-?\d+$/.test(text) ? Number(text) : text;
}

/**
 * Checks exchanges against an OpenAPI 3.1 document: the operation and the status are in it, the answer's body, media
 * type and required headers are as it says; and a request that was answered 2xx is one that it allows.
 */
export function exchangeCheck(document: OpenApiDocument): ExchangeCheck {
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false });
  formats.default(ajv);
  ajv.addKeyword('components');
  const compiled = new Map<Schema, ValidateFunction>();
  const faults = (what: string, schema: Schema, value: unknown): readonly string[] => {
    let validate = compiled.get(schema);
    if (validate === undefined) {
      validate = ajv.compile({ ...schema, components: document.components });
      compiled.set(schema, validate);
    }
    return validate(value) ? [] : inWords(what, validate.errors);
  };

  const described = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Described & { readonly method: string } => ({
      method: method.toUpperCase(),
      operation,
      pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
    })),
  );

  const requestFaults = (operation: Operation, exchange: Exchange): readonly string[] => {
    const { searchParams } = new URL(exchange.path, 'http://localhost');
    const parameters = operation.parameters ?? [];
    const given = (parameter: Parameter): string | null =>
      parameter.in === 'query' ? searchParams.get(parameter.name) : exchange.requestHeaders.get(parameter.name);
    const ofParameters = parameters
      .filter((parameter) => parameter.in !== 'path')
      .flatMap((parameter) => {
        const text = given(parameter);
        const what = `request ${parameter.in} ${parameter.name}`;
        if (text === null) return parameter.required === true ? [`${what} is missing`] : [];
        return faults(what, parameter.schema, valueOf(text, parameter.schema));
      });
    const names = parameters.filter((parameter) => parameter.in === 'query').map((parameter) => parameter.name);
    const unknown = [...searchParams.keys()].filter((name) => !names.includes(name));
    const body = operation.requestBody;
    const ofBody =
      exchange.requestBody === undefined
        ? body?.required === true
          ? ['request body is missing']
          : []
        : body === undefined
          ? ['request body is not described']
          : faults('request body', body.content['application/json']!.schema, exchange.requestBody);
    return [...ofParameters, ...unknown.map((name) => `request query ${name} is not described`), ...ofBody];
  };

  const responseFaults = (response: ResponseObject, exchange: Exchange): readonly string[] => {
    const ofHeaders = Object.entries(response.headers ?? {}).flatMap(([name, header]) => {
      const text = exchange.responseHeaders.get(name);
      if (text === null) return header.required === true ? [`response header ${name} is missing`] : [];
      return faults(`response header ${name}`, header.schema, valueOf(text, header.schema));
    });
    const type = exchange.responseHeaders.get('Content-Type')?.split(';')[0];
    if (response.content === undefined) {
      return exchange.responseBody === undefined ? ofHeaders : [...ofHeaders, 'response body is not described'];
    }
    const media = type === undefined ? undefined : response.content[type];
    if (media === undefined) return [...ofHeaders, `response type ${type} is not described`];
    return [...ofHeaders, ...faults('response body', media.schema, exchange.responseBody)];
  };

  return (exchange) => {
    const { pathname } = new URL(exchange.path, 'http://localhost');
    const found = described.find(({ method, pattern }) => method === exchange.method && pattern.test(pathname));
    if (found === undefined) return [`${exchange.method} ${pathname} is not described`];
    const response = found.operation.responses[exchange.status];
    if (response === undefined) return [`status ${exchange.status} of ${exchange.method} ${pathname} is not described`];
    const succeeded = exchange.status >= 200 && exchange.status < 300;
    return [...(succeeded ? requestFaults(found.operation, exchange) : []), ...responseFaults(response, exchange)];
  };
}
