/** This file owns the OpenAPI 3.1 document, printed from the routes. Its own door: it loads a web framework, the client must not. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { errorEnvelope } from './envelope.ts';
import { DOOR_ERROR_CODES, type ErrorCode, STATUS } from './errors.ts';
import { type AnyExample, type Sample, statusOf, variablesOf, withValues } from './example.ts';
import { exampleOf } from './examples/index.ts';
import { variableOf } from './examples/variables.ts';
import type { RouteDeclaration } from './route.ts';
import { codeSamplesOf } from './samples/index.ts';

export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;

const SECURITY = [{ ApiKeyHeader: [] }, { Bearer: [] }];
/** What each route may answer beside its own codes. */
const COMMON: readonly ErrorCode[] = [
  ...DOOR_ERROR_CODES.filter(
    (code) => !['cache_unavailable', 'batch_failed', 'service_unknown', 'not_confirmed'].includes(code),
  ),
  'rate_limited',
  'limit_unavailable',
];

/**
 * The document of these routes, each with its example and what follows from it: `x-codeSamples`, and in `x-variables` where
 * a sample's variables come from. `version` is the product's. `fixed` are path parameters that these routes have in their
 * paths already.
 */
export function openApiDocument(
  routes: readonly RouteDeclaration[],
  info: { title: string; version: string; description: string },
  fixed: Readonly<Record<string, string>> = {},
): OpenApiDocument {
  const { openAPIRegistry: registry, ...app } = registryOf();
  registry.registerComponent('securitySchemes', 'ApiKeyHeader', {
    type: 'apiKey',
    in: 'header',
    name: 'X-DreamFactory-API-Key',
  });
  registry.registerComponent('securitySchemes', 'Bearer', { type: 'http', scheme: 'bearer' });
  for (const declaration of routes) registry.registerPath(pathOf(declaration));
  const document = app.document(info);
  for (const declaration of routes) illustrate(document, declaration, fixed);
  return withPlainPatterns(document);
}

/** Examples of parameters, and the samples; those of bodies stand in `pathOf` already. */
function illustrate(
  document: OpenApiDocument,
  declaration: RouteDeclaration,
  fixed: Readonly<Record<string, string>>,
): void {
  const operation = document.paths?.[declaration.path]?.[declaration.method] as Operation | undefined;
  const example = exampleOf(declaration.id);
  if (!operation || !example) return;
  const sample: Sample = { declaration, example: { ...example, params: { ...example.params, ...fixed } } };
  const given = withSamples({ ...example.query, ...example.headers, ...example.params });
  for (const parameter of operation.parameters ?? []) {
    if (Object.hasOwn(given, parameter.name)) parameter.example = given[parameter.name];
  }
  operation['x-codeSamples'] = codeSamplesOf(sample);
  const { params, query, headers, body } = example;
  const variables = variablesOf({ params, query, headers, body });
  if (variables.length > 0) operation['x-variables'] = variables.map(originOf);
}

/** Of a variable: its name, and which member of which operation's answer it is. */
function originOf(name: string) {
  const { calls, member } = variableOf(name);
  return { name, operationId: calls.at(-1)?.route, member: member.join('.') };
}

interface Operation {
  parameters?: { name: string; example?: unknown }[];
  'x-codeSamples'?: unknown;
  'x-variables'?: unknown;
}

function withSamples<T>(value: T): T {
  return withValues(value, (name) => variableOf(name).sample);
}

/**
 * A pattern is the text of an expression (JSON Schema 2020-12 §6.3.3). The generator writes one that has flags with them,
 * `^…$/u`, which nothing matches; readers take it for Unicode without being told.
 */
function withPlainPatterns(document: OpenApiDocument): OpenApiDocument {
  const text = JSON.stringify(document, (name, value: unknown) =>
    name === 'pattern' && typeof value === 'string' ? value.replace(/\/[a-z]+$/, '') : value,
  );
  return JSON.parse(text) as OpenApiDocument;
}

function registryOf() {
  const app = new OpenAPIHono();
  return {
    openAPIRegistry: app.openAPIRegistry,
    document: (info: { title: string; version: string; description: string }) =>
      app.getOpenAPI31Document({ openapi: '3.1.0', info }),
  };
}

type RegisteredPath = Parameters<OpenAPIHono['openAPIRegistry']['registerPath']>[0];

function pathOf(declaration: RouteDeclaration): RegisteredPath {
  const { access } = declaration;
  const example = withSamples(exampleOf(declaration.id));
  const scope = typeof access === 'string' ? undefined : `${access.area}:${access.verb}`;
  return {
    operationId: declaration.id,
    method: declaration.method,
    path: declaration.path,
    tags: [declaration.tag],
    summary: declaration.summary,
    description: [declaration.description, scope && `Scope: \`${scope}\`.`].filter(Boolean).join('\n\n'),
    security: access === 'public' ? [] : SECURITY,
    request: {
      ...(declaration.params && { params: declaration.params }),
      ...(declaration.query && { query: declaration.query }),
      ...(declaration.headers && { headers: declaration.headers }),
      ...(declaration.body && {
        body: {
          required: !declaration.body.isOptional,
          content: {
            'application/json': {
              schema: declaration.body.schema,
              ...(example?.body !== undefined && { example: example.body }),
            },
            ...(declaration.body.acceptsText && { 'text/plain': { schema: { type: 'string' as const } } }),
          },
        },
      }),
    },
    responses: { ...successes(declaration, example), ...failures(declaration) },
  };
}

function successes(
  declaration: RouteDeclaration,
  example: AnyExample | undefined,
): RegisteredPath['responses'] {
  const answered = example && statusOf({ declaration, example });
  return Object.fromEntries(
    Object.entries(declaration.replies).map(([status, { description, schema, contentType }]) => {
      const told = Number(status) === answered && example?.reply !== undefined && { example: example.reply };
      const media = schema ? { schema, ...told } : { schema: { type: 'string' as const }, ...told };
      const type = contentType ?? (schema && 'application/json');
      return [status, { description, ...(type && { content: { [type]: media } }) }];
    }),
  );
}

function failures({ access, errors = [], body }: RouteDeclaration): RegisteredPath['responses'] {
  const common = access === 'public' ? [] : COMMON;
  const codes = [
    ...common.filter(
      (code) => body || !['json_invalid', 'body_too_large', 'content_type_unsupported'].includes(code),
    ),
    ...errors,
  ];
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const status = STATUS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, reasons]) => [
      String(status),
      {
        description: [...new Set(reasons)].map((reason) => `\`${reason}\``).join(', '),
        content: { 'application/json': { schema: errorEnvelope } },
      },
    ]),
  );
}
