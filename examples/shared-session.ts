/**
 * One session for two applications: a shop on Hono and a forum on Express, each a process of its own.
 *
 * A visitor who signs in at one of them is known at the other; what one writes into the session, the other reads; whoever
 * signs out at one is signed out at both. This program starts the two and is the visitor's browser.
 *
 *   REDIS_URL=redis://localhost:6379 npm run shared-session
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';

/** One for both: it signs the cookie, and keys the session's place in Redis. Kept with the other secrets in production. */
const secret = randomBytes(32).toString('hex');

const [shop, forum] = await Promise.all([
  start('shared-session-hono.ts'),
  start('shared-session-express.ts'),
]);
try {
  const visit = browser();
  console.log(`forum: ${await visit('GET', `${forum.url}/me`)}`);
  console.log(`shop:  ${await visit('POST', `${shop.url}/sign-in?name=ada`)}`);
  console.log(`forum: ${await visit('GET', `${forum.url}/me`)}`);
  console.log(`forum: ${await visit('POST', `${forum.url}/theme?name=dark`)}`);
  console.log(`shop:  ${await visit('GET', `${shop.url}/me`)}`);
  console.log(`forum: ${await visit('POST', `${forum.url}/sign-out`)}`);
  console.log(`shop:  ${await visit('GET', `${shop.url}/me`)}`);
} finally {
  shop.child.kill();
  forum.child.kill();
}

/**
 * Keeps cookies, and shows the CSRF token of its cookie as a page's script would. Cookies are a host's, whatever the port,
 * so both applications get them; behind one proxy they would share the host name as well.
 */
function browser(): (method: string, url: string) => Promise<string> {
  const cookies = new Map<string, string>();
  return async (method, url) => {
    const response = await fetch(url, {
      method,
      headers: {
        Cookie: [...cookies].map((pair) => pair.join('=')).join('; '),
        'X-CSRF-Token': cookies.get('csrf') ?? '',
      },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (/max-age=0/i.test(cookie)) cookies.delete(name);
      else cookies.set(name, value);
    }
    return await response.text();
  };
}

async function start(file: string): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(new URL(`./${file}`, import.meta.url), {
    env: { ...process.env, SESSION_SECRET: secret },
  });
  const [url] = await Promise.race([
    once(child, 'message') as Promise<[string]>,
    once(child, 'exit').then(() => Promise.reject(new Error(`${file} did not start`))),
  ]);
  return { child, url };
}
