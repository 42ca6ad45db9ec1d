/** This file owns our OpenAPI document as a tester reads it: operations, the schemas of what goes in and what comes out. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

export interface Schema {
  $ref?: string;
  type?: string | readonly string[];
  enum?: readonly unknown[];
  anyOf?: readonly Schema[];
  not?: Schema;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
}

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  schema: Schema;
}

interface Media {
  schema?: Schema;
}

interface Response {
  description: string;
  content?: Readonly<Record<string, Media>>;
}

export interface Operation {
  id: string;
  method: string;
  /** The template, `/api/v2/queues/{queue}`. */
  path: string;
  isPublic: boolean;
  parameters: readonly Parameter[];
  body: { schema: Schema; isRequired: boolean; types: readonly string[] } | undefined;
  responses: Readonly<Record<string, Response>>;
}

interface Printed {
  paths: Record<
    string,
    Record<
      string,
      {
        operationId: string;
        security: unknown[];
        parameters?: Parameter[];
        requestBody?: { required?: boolean; content: Record<string, Media> };
        responses: Record<string, Response>;
      }
    >
  >;
  components: { schemas: Record<string, Schema> };
}

export class ApiDocument {
  readonly operations: readonly Operation[];
  readonly #schemas: Readonly<Record<string, Schema>>;
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<Schema, ValidateFunction>();

  /** `text`: what /openapi.json answers. */
  constructor(text: string) {
    const printed = JSON.parse(text) as Printed;
    this.#schemas = printed.components.schemas;
    this.#ajv = new Ajv2020({ strict: false, validateFormats: false });
    this.#ajv.addSchema({ $id: 'openapi', components: printed.components });
    this.operations = Object.entries(printed.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => {
        const { content, required = false } = operation.requestBody ?? { content: undefined };
        return {
          id: operation.operationId,
          method: method.toUpperCase(),
          path,
          isPublic: operation.security.length === 0,
          parameters: operation.parameters ?? [],
          body: content && {
            schema: content['application/json']?.schema ?? {},
            isRequired: required,
            types: Object.keys(content),
          },
          responses: operation.responses,
        };
      }),
    );
  }

  /** The schema itself, its reference followed. */
  resolve(schema: Schema): Schema {
    if (schema.$ref === undefined) return schema;
    const found = this.#schemas[schema.$ref.replace('#/components/schemas/', '')];
    if (!found) throw new TypeError(`${schema.$ref} is not in the document`);
    return this.resolve(found);
  }

  /** What is wrong with a value; `undefined`: nothing. */
  fault(schema: Schema, value: unknown): string | undefined {
    let validate = this.#validators.get(schema);
    if (!validate) {
      const text = JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components');
      validate = this.#ajv.compile(JSON.parse(text) as object);
      this.#validators.set(schema, validate);
    }
    return validate(value) ? undefined : this.#ajv.errorsText(validate.errors);
  }
}
