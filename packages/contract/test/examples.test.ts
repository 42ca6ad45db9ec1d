import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { statusOf, variablesOf, withValues } from '../src/example.ts';
import { exampleOf, examples } from '../src/examples/index.ts';
import { variableOf, variables } from '../src/examples/variables.ts';
import { openApiDocument } from '../src/openapi.ts';
import type { RouteDeclaration } from '../src/route.ts';
import { routes } from '../src/routes/index.ts';

const all: readonly RouteDeclaration[] = Object.values(routes);

/** What to do about a route without an example, for whoever has just added it. */
function missing({ id, method, path }: RouteDeclaration): string {
  return `${id} (${method.toUpperCase()} ${path}) has no example. Add \`${id}: { params, query, body, reply }\` to the file of its area in packages/contract/src/examples; the samples in curl, TypeScript and Python, the OpenAPI document and /docs follow from it.`;
}

function faultsOf(schema: z.ZodType | undefined, value: unknown, place: string): string[] {
  if (value === undefined) return [];
  if (!schema) return [`${place}: the route declares none`];
  const { error } = schema.safeParse(value);
  return (error?.issues ?? []).map(({ path, message }) => `${place}.${path.join('.')}: ${message}`);
}

describe('examples', () => {
  it('there is one for every route, and none for what is no route', () => {
    expect(all.filter(({ id }) => exampleOf(id) === undefined).map(missing)).toEqual([]);
    expect(Object.keys(examples).filter((id) => !Object.hasOwn(routes, id))).toEqual([]);
  });

  it('each is a request and an answer that its route declares', () => {
    const faults = all.flatMap((declaration) => {
      const example = exampleOf(declaration.id);
      if (!example) return [];
      const { params, query, headers, body, reply } = withValues(example, (name) => variableOf(name).sample);
      const declared = declaration.replies[statusOf({ declaration, example })];
      const isText = declared?.schema === undefined && typeof reply === 'string';
      return [
        ...faultsOf(declaration.params, params, 'params'),
        ...faultsOf(declaration.query?.strict(), query, 'query'),
        ...faultsOf(declaration.headers, headers, 'headers'),
        ...faultsOf(declaration.body?.schema, body, 'body'),
        ...(isText ? [] : faultsOf(declared?.schema, reply, 'reply')),
        ...(reply === undefined ? ['reply: it has none'] : []),
      ].map((fault) => `${declaration.id}: ${fault}`);
    });

    expect(faults).toEqual([]);
  });

  it('a variable is the answer of a route, and is used', () => {
    const used = new Set(variablesOf(examples));

    expect([...used].sort()).toEqual(Object.keys(variables).sort());
    for (const { calls } of Object.values(variables)) {
      for (const { route } of calls) expect(exampleOf(route)).toBeDefined();
    }
  });

  it('stand in the document beside each operation, with samples in every language', () => {
    const document = openApiDocument(all, { title: 'Sluice', version: '1', description: 'd' });
    for (const { id, method, path } of all) {
      const operation = document.paths?.[path]?.[method] as Record<string, unknown> | undefined;
      const samples = operation?.['x-codeSamples'] as { lang: string; source: string }[];

      expect([id, samples.map(({ lang }) => lang)]).toEqual([id, ['shell', 'typescript', 'python']]);
      expect(samples.filter(({ source }) => /undefined|\[object/.test(source))).toEqual([]);
    }
    expect(document.paths?.['/api/v2/leases/{lease}/complete']?.post).toMatchObject({
      parameters: [{ name: 'lease', example: variables.LEASE.sample }],
      requestBody: { content: { 'application/json': { example: { result: { width: 640 } } } } },
      responses: { 200: { content: { 'application/json': { example: { state: 'completed' } } } } },
      'x-variables': [{ name: 'LEASE', operationId: 'takeLeases', member: 'resource.0.lease' }],
    });
  });

  it('tells whoever adds a route what is missing, and where it goes', () => {
    const added = { ...routes.livez, id: 'readTides', path: '/api/v2/tides' } as RouteDeclaration;

    expect(exampleOf(added.id)).toBeUndefined();
    expect(missing(added)).toContain('readTides (GET /api/v2/tides) has no example. Add `readTides:');
    expect(() => openApiDocument([added], { title: 'Sluice', version: '1', description: 'd' })).not.toThrow();
  });
});
