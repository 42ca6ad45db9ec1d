/** What the two applications of `shared-session.ts` agree on: where sessions are, and how the cookie is written. */
import { Env, keyspace, readRoles } from '@sluice/config';
import { connect, untilReady } from '@sluice/redis';
import {
  type BrowserSessionOptions,
  Csrf,
  RedisSessionDriver,
  SessionCookie,
  Sessions,
} from '@sluice/session';

export async function openSessions(name: string): Promise<BrowserSessionOptions> {
  const secret = Buffer.from(process.env.SESSION_SECRET ?? '', 'hex');
  const { prefix, redis } = readRoles(new Env(process.env));
  const keys = keyspace(prefix, { isCluster: redis.session.kind === 'cluster' });
  const client = connect({ config: redis.session, profile: 'request', name });
  await untilReady(client, 5_000);
  // An area of its own keeps these sessions apart from those of the HTTP API.
  const driver = new RedisSessionDriver({ client, keys, area: 'example' });
  // Plain HTTP, for an example on this machine; `isSecure` is true where nothing is said.
  const isSecure = false;
  return {
    sessions: new Sessions({ driver, secret }),
    cookie: new SessionCookie({ keys: [secret], isSecure }),
    csrf: new Csrf({ keys: [secret], isSecure }),
  };
}
