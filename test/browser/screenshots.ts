/**
 * This file owns the pictures of the documentation: `npm run screenshots` runs API and worker on a Redis of their own, gives
 * them something to do, and takes the pictures of docs/images from what a browser shows then.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { KEY, OwnRedis, type Product, startProduct } from '../e2e/product.ts';
import { openBrowser } from './browser.ts';

const FOLDER = join(import.meta.dirname, '../../docs/images');
/** Figures of a minute are worth looking at once there was one. */
const BUSY_MS = 70_000;

const PICTURES: readonly {
  name: string;
  path: string;
  colorScheme?: 'dark';
  isPhone?: true;
  shows: string;
}[] = [
  { name: 'console', path: '/admin', shows: '[data-live-sign][data-kind=good]' },
  { name: 'console-dark', path: '/admin', colorScheme: 'dark', shows: '[data-live-sign][data-kind=good]' },
  { name: 'console-phone', path: '/admin', isPhone: true, shows: '[data-live-sign][data-kind=good]' },
  { name: 'queue', path: '/admin/jobs/mail?state=failed', shows: 'table' },
  { name: 'service', path: '/admin/new-service?kind=cache_redis', shows: 'form.stack' },
  { name: 'board', path: '/admin/queues/queue/mail?status=delayed', shows: 'text=everybody' },
  { name: 'docs', path: '/docs', shows: '.opblock' },
];

const cleanUps: (() => Promise<void> | void)[] = [];
const cleaner = { onTestFinished: (cleanUp: () => Promise<void> | void) => void cleanUps.unshift(cleanUp) };
try {
  await mkdir(FOLDER, { recursive: true });
  const redis = await OwnRedis.start(cleaner);
  const product = await startProduct(cleaner, redis.url);
  await occupy(product);
  for (const { name, path, colorScheme = 'light', isPhone, shows } of PICTURES) {
    const viewport = isPhone ? { width: 390, height: 844 } : { width: 1_280, height: 860 };
    const { page } = await openBrowser(cleaner as never, { origin: product.url, colorScheme, viewport });
    await page.goto(`${product.url}/admin/login`);
    await page.getByLabel('API key').fill(KEY);
    await page.getByRole('button', { name: 'Sign in with the key' }).click();
    await page.getByRole('link', { name: 'Sign out' }).waitFor();
    await page.goto(`${product.url}${path}`);
    await page.locator(shows).first().waitFor({ timeout: 30_000 });
    await page.screenshot({ path: join(FOLDER, `${name}.png`) });
    process.stderr.write(`docs/images/${name}.png\n`);
  }
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}

/** Jobs of some queues for a good minute, a few of which fail, values, and a limit that bites. */
async function occupy({ call, url }: Product): Promise<void> {
  // The console remembers from its first visit on.
  await fetch(`${url}/admin/login`);
  const post = (path: string, json: unknown) => call(path, { method: 'POST', json });
  await post('/redis', {
    resource: Array.from({ length: 40 }, (_, n) => ({
      key: `user:${n}`,
      value: { n },
      ttl: 3_600,
      tags: ['users'],
    })),
  });
  await post('/queues/reports/jobs', { name: 'example.echo', data: {}, opts: { delay: 3_600_000 } });
  await call('/queues/mail/schedulers/digest', {
    method: 'PUT',
    json: {
      schedule: { cron: '0 7 * * *', tz: 'Europe/Berlin' },
      name: 'example.echo',
      data: { to: 'everybody' },
    },
  });
  const endsAt = Date.now() + BUSY_MS;
  for (let n = 0; Date.now() < endsAt; n += 1) {
    await post('/queues/mail/jobs', {
      resource: Array.from({ length: 8 }, (_, at) => ({
        name: 'example.echo',
        data: {
          to: `user-${n}-${at}@example.org`,
          template: 'welcome',
          failures: (n + at) % 23 === 0 ? 1 : 0,
        },
      })),
    });
    await post('/queues/images/jobs', { name: 'example.echo', data: { image: n, delay: 1_500 } });
    await call(`/redis/user:${n % 60}`);
    await pause(250);
  }
}
