/** This file owns the validation of a request's parts by their schemas: every fault is told, in one error. */
import type { ErrorCode } from '@sluice/contract';
import { DomainError } from '@sluice/runtime';
import type { z } from 'zod';

const MAX_ISSUES_TOLD = 50;

export class InputCheck {
  readonly #issues: { path: string; message: string }[] = [];

  /** What the schema makes of the value, `{}` without a schema. A fault is kept under `place` and answers `undefined`. */
  check(schema: z.ZodType | undefined, value: unknown, place: string): unknown {
    if (!schema) return {};
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const { path, message } of result.error.issues)
      this.#issues.push({ path: [place, ...path].join('.'), message });
    return undefined;
  }

  /** Throws `input_invalid` when anything was wrong. */
  requireValid(): void {
    const [first] = this.#issues;
    if (!first) return;
    throw new DomainError<ErrorCode>('input_invalid', `${first.path}: ${first.message}`, {
      details: { issues: this.#issues.slice(0, MAX_ISSUES_TOLD) },
    });
  }
}
