/** This file owns who signs in with a name and a password, and whether that account still stands. */
import { createHash } from 'node:crypto';
import { type AccountBody, PasswordCheck, type Registry } from '@sluice/system';
import { accountNameSchema } from '@sluice/system/schemas';

export interface KnownAccount {
  account: AccountBody;
  /** Another with each password: a session begun with the last one is over. */
  mark: string;
}

export class Accounts {
  readonly #registry: Registry;
  readonly #passwords = new PasswordCheck();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** False until the records have been read once. */
  get isLoaded(): boolean {
    return this.#registry.isLoaded;
  }

  /** An account that stands, as known here. */
  find(name: string): KnownAccount | undefined {
    const record = this.#registry.list('account').find((each) => each.name === name);
    return record && known(record.body as AccountBody);
  }

  /** As Redis holds it now. A name that nobody has costs what a wrong password does. Rejects as ioredis does. */
  async prove(name: string, password: string): Promise<KnownAccount | 'wrong' | 'busy'> {
    const isName = accountNameSchema.safeParse(name).success;
    const record = isName ? await this.#registry.read('account', name) : undefined;
    const body = record?.body as AccountBody | undefined;
    const matches = await this.#passwords.matches(password, body?.password);
    if (matches === 'busy') return 'busy';
    const account = matches && body ? known(body) : undefined;
    if (!account) return 'wrong';
    // What comes next asks for it by name, in memory.
    await this.#registry.refresh();
    return account;
  }
}

function known(account: AccountBody): KnownAccount | undefined {
  if (!account.isActive) return undefined;
  return { account, mark: createHash('sha256').update(account.password).digest('base64url').slice(0, 22) };
}
