/** This file owns an operator's account as a record: a name, a role, and what is stored in the place of a password. */
import { z } from 'zod';
import type { Recorded } from './book.ts';
import { sealPassword } from './password.ts';
import {
  ACCOUNT_ROLES,
  type AccountRole,
  accountNameSchema,
  MAX_PASSWORD_CHARACTERS,
  MIN_PASSWORD_CHARACTERS,
} from './schemas.ts';

const bodySchema = z.strictObject({
  name: accountNameSchema,
  role: z.enum(ACCOUNT_ROLES),
  /** False: it opens nothing until it is true again. */
  isActive: z.boolean(),
  /** As `sealPassword` writes it; another password has another one, and ends the sessions begun with the last. */
  password: z.string().startsWith('scrypt$').max(200),
});
export type AccountBody = z.infer<typeof bodySchema>;

export function recordedAccounts(): Recorded<AccountBody> {
  return {
    kind: 'account',
    noun: 'account',
    read(given) {
      const read = bodySchema.safeParse(given);
      if (read.success) return { name: read.data.name, body: read.data };
      return {
        issues: read.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })),
      };
    },
    told: ({ name, role, isActive }) => ({ name, role, is_active: isActive }),
  };
}

/** The sentence that says why this can be nobody's password; `undefined` when it can. */
export function passwordFault(password: string): string | undefined {
  const { length } = [...password];
  if (length >= MIN_PASSWORD_CHARACTERS && length <= MAX_PASSWORD_CHARACTERS) return undefined;
  return `A password has ${MIN_PASSWORD_CHARACTERS} to ${MAX_PASSWORD_CHARACTERS} characters, this one has ${length}.`;
}

/** A new account as `Book` takes it. `password` is not to have a fault. */
export async function newAccount(options: {
  name: string;
  role: AccountRole;
  password: string;
}): Promise<AccountBody> {
  const { name, role, password } = options;
  return { name, role, isActive: true, password: await sealPassword(password) };
}
