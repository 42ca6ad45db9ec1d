import { DomainError } from '@sluice/runtime';
import { expect, it } from 'vitest';
import { check } from '../src/data.ts';
import { jobOptionsSchema } from '../src/schemas.ts';

it('says which field is wrong in one text, as every other error does', () => {
  let thrown: unknown;
  try {
    check(jobOptionsSchema, { backoff: { type: 'fixed', delay: -1 } }, ['opts']);
  } catch (error) {
    thrown = error;
  }

  expect(thrown).toBeInstanceOf(DomainError);
  const message = 'Too small: expected number to be >=0';
  expect(thrown).toMatchObject({
    code: 'job_invalid',
    message: `opts.backoff.delay: ${message}`,
    details: { issues: [{ path: 'opts.backoff.delay', message }] },
  });
});
