import { describe, expect, it } from 'vitest';
import { openApiDocument } from '../src/openapi.ts';
import { routes } from '../src/routes/index.ts';

const document = openApiDocument(Object.values(routes), { title: 'Sluice', version: '1', description: 'd' });

/** Every value in the document of a member called so. */
function membersNamed(wanted: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === wanted && typeof member === 'string' ? [member] : membersNamed(wanted, member),
  );
}

describe('the OpenAPI document', () => {
  it('has each route once, under its id', () => {
    const operations = Object.values(document.paths ?? {}).flatMap((path) =>
      Object.values(path as Record<string, { operationId: string }>),
    );

    expect(document.openapi).toBe('3.1.0');
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(routes).sort());
  });

  it('refers to nothing that is not in it', () => {
    const schemas = Object.keys(document.components?.schemas ?? {}).map(
      (name) => `#/components/schemas/${name}`,
    );

    expect(membersNamed('$ref', document).filter((reference) => !schemas.includes(reference))).toEqual([]);
  });

  it('writes patterns as the text of an expression, without flags', () => {
    const patterns = membersNamed('pattern', document);
    const printable = patterns.find((pattern) => pattern.includes('\\p{Cc}')) ?? '';

    expect(patterns.filter((pattern) => /\/[a-z]+$/.test(pattern))).toEqual([]);
    expect(new RegExp(printable, 'u').test('a name')).toBe(true);
  });

  it('tells the scope of every route that is not public, and its failures in the one envelope', () => {
    const operation = document.paths?.['/api/v2/queues/{queue}/jobs']?.post;

    expect(operation?.description).toContain('Scope: `jobs:enqueue`');
    expect(operation?.responses).toMatchObject({
      '401': { content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } },
      '422': { description: '`idempotency_mismatch`' },
    });
  });
});
