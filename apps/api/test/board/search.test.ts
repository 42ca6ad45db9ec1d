import { expect, test } from 'vitest';
import { boardUnderTest } from './setup.ts';

/** Ids of the jobs that the page tells of, in its order. */
async function idsOf(response: Response): Promise<string[]> {
  const text = await response.text();
  return [...text.matchAll(/href="\/admin\/queues\/queue\/[^/"]+\/([^"/]+)">/g)].map(
    ([, id]) => id as string,
  );
}

test('finds jobs by text, name and id, in one queue or in all', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  const mail = await board.queue('mail');
  const images = await board.queue('images');
  await mail.add('welcome', { to: 'ada@example.org' }, { jobId: 'j_mail1' });
  await mail.add('bill', { to: 'grace@example.org' }, { jobId: 'j_mail2', delay: 60_000 });
  await images.add('welcome', { src: 'ada.png' }, { jobId: 'j_image1' });
  const find = async (query: string) => await idsOf(await board.fetchAs(key, `/search?${query}`));

  expect(await find('q=grace')).toEqual(['j_mail2']);
  expect((await find('q=ada')).sort()).toEqual(['j_image1', 'j_mail1']);
  expect(await find('q=ada&queue=mail')).toEqual(['j_mail1']);
  expect(await find('q=grace&queue=mail&state=waiting')).toEqual([]);
  expect((await find('q=welcome&by=name')).sort()).toEqual(['j_image1', 'j_mail1']);
  expect(await find('q=mail2&by=id')).toEqual(['j_mail2']);
  expect((await board.fetchAs(key, '/search?q=a&queue=nowhere')).status).toBe(404);
  expect((await board.fetchAs(key, '/search?q=a&state=lost')).status).toBe(400);
  const empty = await board.fetchAs(key, '/search');
  expect([empty.status, await idsOf(empty)]).toEqual([200, []]);
});

test('finds nothing in queues that a key may not read', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read:acme-*']);
  const acme = await board.queue('acme-mail');
  const other = await board.queue('other-mail');
  for (const [queue, id] of [
    [acme, 'j_ours'],
    [other, 'j_theirs'],
  ] as const) {
    await queue.add('a', { to: 'ada' }, { jobId: id });
  }

  const all = await board.fetchAs(key, '/search?q=ada');
  const theirs = await board.fetchAs(key, '/search?q=ada&queue=other-mail');

  const text = await all.clone().text();
  expect(await idsOf(all)).toEqual(['j_ours']);
  expect(text).not.toContain('other');
  expect(theirs.status).toBe(404);
});

test('tells nobody which jobs hold a secret, and writes what it finds as text', async (t) => {
  const board = await boardUnderTest(t);
  const key = await board.makeKey(['board', 'jobs:read']);
  const mail = await board.queue('mail');
  await mail.add('<img src=x onerror=alert(1)>', { to: 'ada', password: 'hunter2' }, { jobId: 'j_1' });

  const secret = await (await board.fetchAs(key, '/search?q=hunter')).text();
  const absent = await (await board.fetchAs(key, '/search?q=nobody')).text();
  const shown = await (await board.fetchAs(key, '/search?q=ada')).text();
  const hostile = await (await board.fetchAs(key, '/search?q=%22%3E%3Cscript%3E')).text();

  expect(secret.replace('hunter', '')).toBe(absent.replace('nobody', ''));
  expect(shown).toContain('&lt;img src=x onerror=alert(1)&gt;');
  expect(shown + hostile).not.toMatch(/<img src=x|"><script>/);
});
