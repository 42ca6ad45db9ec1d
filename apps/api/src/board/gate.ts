/** This file owns who may come in: the key or the session of a request to a principal, and which requests come from the board's own pages. */
import type { KeyPrincipal } from '@sluice/access';
import type { ClientAddress } from '@sluice/rate-limit';
import type { Context } from 'hono';
import { bearer } from '../http/authentication.ts';
import type { Binding } from '../pages.ts';
import type { FailedAttempts } from './attempts.ts';
import type { Sessions } from './session.ts';

export type BoardContext = Context<{ Bindings: Binding; Variables: Visit }>;

/** What is known of a request once it is in. */
export interface Visit {
  principal: KeyPrincipal;
  requestId: string;
}

/** What the board asks of the key ring. */
export interface Keys {
  /** False until the keys have been read once: nobody can be called unknown before. */
  readonly isLoaded: boolean;
  authenticate(presented: string): KeyPrincipal | undefined;
  /** The principal of a key that was proved before and still opens. */
  principal(id: string): KeyPrincipal | undefined;
}

export type Entrance =
  | { kind: 'known'; principal: KeyPrincipal }
  /** No key and no session, or one that is over. */
  | { kind: 'stranger' }
  | { kind: 'wrong key' }
  | { kind: 'too many attempts'; waitMs: number }
  | { kind: 'keys not read' };

export class Gate {
  readonly #keys: Keys;
  readonly #sessions: Sessions;
  readonly #attempts: FailedAttempts;
  readonly #clientAddress: ClientAddress;

  constructor(options: {
    keys: Keys;
    sessions: Sessions;
    attempts: FailedAttempts;
    clientAddress: ClientAddress;
  }) {
    this.#keys = options.keys;
    this.#sessions = options.sessions;
    this.#attempts = options.attempts;
    this.#clientAddress = options.clientAddress;
  }

  /** By the key that the request carries; without one, by its session. */
  enter(c: BoardContext): Entrance {
    const key = presentedKey(c);
    if (key !== undefined) return this.tryKey(c, key);
    const keyId = this.#sessions.keyId(c);
    if (keyId === undefined) return { kind: 'stranger' };
    const principal = this.#keys.principal(keyId);
    if (principal) return { kind: 'known', principal };
    return this.#keys.isLoaded ? { kind: 'stranger' } : { kind: 'keys not read' };
  }

  /** A key that somebody gives. Wrong ones are counted by address, and too many close the door to right ones as well. */
  tryKey(c: BoardContext, key: string): Entrance {
    const address = this.addressOf(c);
    const waitMs = this.#attempts.waitMs(address);
    if (waitMs > 0) return { kind: 'too many attempts', waitMs };
    const principal = this.#keys.authenticate(key);
    if (principal) return { kind: 'known', principal };
    if (!this.#keys.isLoaded) return { kind: 'keys not read' };
    this.#attempts.add(address);
    return { kind: 'wrong key' };
  }

  addressOf(c: BoardContext): string {
    const socketAddress = c.env?.incoming?.socket?.remoteAddress;
    return this.#clientAddress({ socketAddress, forwardedFor: c.req.header('x-forwarded-for') });
  }
}

/**
 * True when a page of this host sent the request. Browsers say so in `Sec-Fetch-Site`, which no page can write, or where
 * that is not sent (plain http) in `Origin`. A request with neither comes from no browser, and is refused all the same.
 */
export function isFromOwnPage(c: Context): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === c.req.header('host');
}

export function changesSomething(c: Context): boolean {
  return c.req.method !== 'GET' && c.req.method !== 'HEAD';
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
