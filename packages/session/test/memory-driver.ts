/** This file owns the model that the real drivers are compared with: the rules of the ledger, in a Map, at one moment. */
import type { Creation, Deed, NewSession, SessionDriver, SessionRecord, Verdict } from '../src/driver.ts';
import { enter, judge, type Ledger, liveSessions, newLedger, strikeAll } from '../src/ledger.ts';
import type { PresentedToken, SessionAddress } from '../src/token.ts';

const NOW_MS = 1_700_000_000_000;

export class MemorySessionDriver implements SessionDriver {
  readonly #ledgers = new Map<string, Ledger>();

  async create(session: NewSession): Promise<Creation> {
    return enter(this.#of(session.place.user), session, NOW_MS);
  }

  async present(token: PresentedToken, deed: Deed): Promise<Verdict> {
    return judge(this.#of(token.user), token, deed, NOW_MS);
  }

  async list(user: string): Promise<SessionRecord[]> {
    return liveSessions(this.#of(user), NOW_MS);
  }

  async generation(user: string): Promise<number> {
    return this.#of(user).generation;
  }

  async revoke({ user, id }: SessionAddress): Promise<boolean> {
    return this.#of(user).sessions[id] !== undefined && Reflect.deleteProperty(this.#of(user).sessions, id);
  }

  async revokeAll(user: string, memoryMs: number): Promise<number> {
    return strikeAll(this.#of(user), memoryMs, NOW_MS);
  }

  async *users(): AsyncIterable<string[]> {
    yield [...this.#ledgers.keys()];
  }

  #of(user: string): Ledger {
    const ledger = this.#ledgers.get(user) ?? newLedger();
    this.#ledgers.set(user, ledger);
    return ledger;
  }
}
