/** This file owns the OpenAPI 3.1 document, printed from the routes. Its own door: it loads a web framework, the client must not. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { errorEnvelope } from './envelope.ts';
import { DOOR_ERROR_CODES, STATUS } from './errors.ts';
import type { RouteDeclaration } from './route.ts';

export type OpenApiDocument = ReturnType<OpenAPIHono['getOpenAPI31Document']>;

const SECURITY = [{ ApiKeyHeader: [] }, { Bearer: [] }];
/** What each route may answer beside its own codes. */
const COMMON = DOOR_ERROR_CODES.filter(
  (code) => !['cache_unavailable', 'batch_failed', 'service_unknown', 'not_confirmed'].includes(code),
);

/** The document of these routes. `version` is the product's. */
export function openApiDocument(
  routes: readonly RouteDeclaration[],
  info: { title: string; version: string; description: string },
): OpenApiDocument {
  const { openAPIRegistry: registry, ...app } = registryOf();
  registry.registerComponent('securitySchemes', 'ApiKeyHeader', {
    type: 'apiKey',
    in: 'header',
    name: 'X-DreamFactory-API-Key',
  });
  registry.registerComponent('securitySchemes', 'Bearer', { type: 'http', scheme: 'bearer' });
  for (const declaration of routes) registry.registerPath(pathOf(declaration));
  return app.document(info);
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
      ...(declaration.body && {
        body: {
          required: !declaration.body.isOptional,
          content: {
            'application/json': { schema: declaration.body.schema },
            ...(declaration.body.acceptsText && { 'text/plain': { schema: { type: 'string' as const } } }),
          },
        },
      }),
    },
    responses: { ...successes(declaration), ...failures(declaration) },
  };
}

function successes({ replies }: RouteDeclaration): RegisteredPath['responses'] {
  return Object.fromEntries(
    Object.entries(replies).map(([status, { description, schema, contentType }]) => [
      status,
      {
        description,
        ...(schema && { content: { [contentType ?? 'application/json']: { schema } } }),
        ...(!schema &&
          contentType && { content: { [contentType]: { schema: { type: 'string' as const } } } }),
      },
    ]),
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
