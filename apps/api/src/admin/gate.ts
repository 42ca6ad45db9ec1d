/** This file owns who may come in: the session or the key of a request, or what somebody gives to sign in, to an operator. */
import type { KeyPrincipal } from '@sluice/access';
import type { ClientAddress } from '@sluice/rate-limit';
import type { Context } from 'hono';
import { bearer } from '../http/authentication.ts';
import type { Binding } from '../pages.ts';
import type { Accounts } from './accounts.ts';
import type { FailedAttempts } from './attempts.ts';
import { type Operator, operatorOfAccount, operatorOfKey } from './operator.ts';
import type { OperatorSession, OperatorSessions, SignedIn } from './operator-sessions.ts';

export type AdminContext = Context<{ Bindings: Binding; Variables: Arrival }>;

/** What is known of a request once it is in. */
export interface Arrival {
  operator: Operator;
  requestId: string;
}

/** What is asked of the key ring. */
export interface Keys {
  /** False until the keys have been read once: nobody can be called unknown before. */
  readonly isLoaded: boolean;
  authenticate(presented: string): KeyPrincipal | undefined;
  /** The principal of a key that was proved before and still opens. */
  principal(id: string): KeyPrincipal | undefined;
}

export type Entrance =
  /** `session`: absent for whoever shows a key with each request. */
  | { kind: 'known'; operator: Operator; session?: OperatorSession }
  /** No key and no session, or one that is over. */
  | { kind: 'stranger' }
  | Refusal;

export type Refusal =
  | { kind: 'wrong' }
  | { kind: 'too many attempts'; waitMs: number }
  /** More people sign in than can be looked at. */
  | { kind: 'busy' }
  | { kind: 'not read' };

/** What somebody gives to sign in. */
export type Credentials = { key: string } | { name: string; password: string };

export class Gate {
  readonly #keys: Keys;
  readonly #accounts: Accounts;
  readonly #sessions: OperatorSessions;
  readonly #attempts: FailedAttempts;
  readonly #clientAddress: ClientAddress;

  constructor(options: {
    keys: Keys;
    accounts: Accounts;
    sessions: OperatorSessions;
    attempts: FailedAttempts;
    clientAddress: ClientAddress;
  }) {
    this.#keys = options.keys;
    this.#accounts = options.accounts;
    this.#sessions = options.sessions;
    this.#attempts = options.attempts;
    this.#clientAddress = options.clientAddress;
  }

  /** By the key that the request carries; without one, by its session. Rejects as ioredis does. */
  async enter(c: Context): Promise<Entrance> {
    const key = presentedKey(c);
    if (key === undefined) return await this.enterBySession(c);
    const tried = this.#try(c, () => this.#keyOf(key));
    if (tried.kind !== 'proved') return tried;
    return this.#operatorOf(tried.signedIn) ?? { kind: 'wrong' };
  }

  /** By the session alone. `touch: false`: looking is no use of it. */
  async enterBySession(c: Context, options: { touch?: boolean } = {}): Promise<Entrance> {
    const session = await this.#sessions.read(c, options);
    if (!session) return { kind: 'stranger' };
    const entrance = this.#operatorOf(session);
    if (entrance) return { ...entrance, session };
    const isLoaded = session.kind === 'key' ? this.#keys.isLoaded : this.#accounts.isLoaded;
    return isLoaded ? { kind: 'stranger' } : { kind: 'not read' };
  }

  /** What somebody gives to sign in. Wrong ones are counted by address, and too many close the door to right ones as well. */
  async prove(c: Context, given: Credentials): Promise<{ kind: 'proved'; signedIn: SignedIn } | Refusal> {
    if ('key' in given) return this.#try(c, () => this.#keyOf(given.key));
    // Before the password is looked at, which is dear.
    const waitMs = this.#attempts.waitMs(this.addressOf(c));
    if (waitMs > 0) return { kind: 'too many attempts', waitMs };
    const found = await this.#accounts.prove(given.name, given.password);
    if (found === 'busy') return { kind: 'busy' };
    return this.#try(c, () => {
      if (found === 'wrong') return 'wrong';
      return { kind: 'account', id: found.account.name, mark: found.mark };
    });
  }

  addressOf(c: Context): string {
    const socketAddress = (c.env as Binding | undefined)?.incoming?.socket?.remoteAddress;
    return this.#clientAddress({ socketAddress, forwardedFor: c.req.header('x-forwarded-for') });
  }

  #try(
    c: Context,
    look: () => SignedIn | 'wrong' | 'not read',
  ): { kind: 'proved'; signedIn: SignedIn } | Refusal {
    const address = this.addressOf(c);
    const waitMs = this.#attempts.waitMs(address);
    if (waitMs > 0) return { kind: 'too many attempts', waitMs };
    const found = look();
    if (typeof found === 'object') return { kind: 'proved', signedIn: found };
    if (found === 'wrong') this.#attempts.add(address);
    return { kind: found };
  }

  #keyOf(key: string): SignedIn | 'wrong' | 'not read' {
    const principal = this.#keys.authenticate(key);
    if (principal) return { kind: 'key', id: principal.id, mark: '' };
    return this.#keys.isLoaded ? 'wrong' : 'not read';
  }

  /** `undefined`: the key is revoked, the account is gone or has another password. */
  #operatorOf({ kind, id, mark }: SignedIn): { kind: 'known'; operator: Operator } | undefined {
    if (kind === 'key') {
      const principal = this.#keys.principal(id);
      return principal && { kind: 'known', operator: operatorOfKey(principal) };
    }
    const found = this.#accounts.find(id);
    return found?.mark === mark ? { kind: 'known', operator: operatorOfAccount(found.account) } : undefined;
  }
}

/** The key in a header: as everywhere in the API, or as the password of basic authentication, whose user name is not read. */
function presentedKey(c: Context): string | undefined {
  const authorization = c.req.header('authorization');
  return c.req.header('x-dreamfactory-api-key') ?? bearer(authorization) ?? basicPassword(authorization);
}

function basicPassword(authorization: string | undefined): string | undefined {
  const encoded = /^Basic +([\w+/=-]+) *$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}
