import type { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { createProgram } from '../src/program.ts';
import { linesOf, runningSluice, servedQueue, unservedQueue } from './running-sluice.ts';

vi.setConfig({ testTimeout: 60_000 });

const here = runningSluice();
const silent = { variables: {}, out: () => undefined, err: () => undefined };

interface Asked {
  /** Its standard input. */
  input?: string;
  args?: readonly string[];
}

/** The words of every command that can speak to an API. */
function speaking(of: Command = createProgram(silent, () => undefined), words: string[] = []): string[] {
  if (of.commands.length > 0)
    return of.commands.flatMap((command) => speaking(command, [...words, command.name()]));
  return of.options.some(({ long }) => long === '--url') ? [words.join(' ')] : [];
}

test('every command that an API has done answers in JSON when it is asked to', async () => {
  const pull = unservedQueue();
  const served = servedQueue();
  const at = ['--url', here.variables.SLUICE_URL as string];
  const host = ['--host', '127.0.0.1', '--port', String(here.openRedis.port)];
  const asked = new Set<string>();
  /** What a command answers, each line read. */
  const answer = async (command: string, { input, args = [] }: Asked = {}) => {
    asked.add(command);
    const { status, stdout, stderr } = await here.sluiceWith(
      { ...(input !== undefined && { input: [input] }) },
      ...command.split(' '),
      ...args,
      '--json',
    );
    expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: expect.any(String) });
    const lines = linesOf(stdout);
    for (const line of lines) expect(line, command).toBeTypeOf('object');
    return lines;
  };
  const one = async (command: string, ...args: string[]) => {
    const lines = await answer(command, { args });
    expect(lines.length, command).toBe(1);
    return lines[0] as Record<string, unknown>;
  };

  const job = await one('enqueue', served, 'example.echo', '--data', '{"a": 1}');
  expect(job).toMatchObject({ id: expect.stringMatching(/^j_/) });
  const failing = await one('enqueue', served, 'no.such.processor', '--attempts', '1');
  const waiting = await one('enqueue', pull, 'n');
  expect((await answer('jobs follow', { args: [served, String(job.id)] })).length).toBeGreaterThan(0);
  expect(await one('jobs show', served, String(job.id))).toMatchObject({ id: job.id, state: 'completed' });
  expect(await answer('jobs list', { args: [pull] })).toMatchObject([{ id: waiting.id }]);
  expect(await answer('jobs retry', { args: [served, String(job.id)] })).toMatchObject([{ id: job.id }]);
  await expect
    .poll(async () => (await one('jobs show', served, String(failing.id))).state, { timeout: 20_000 })
    .toBe('failed');
  expect(await one('queues retry', served)).toEqual({ queue: served, retried: 1 });

  expect(await answer('queues list')).toContainEqual(expect.objectContaining({ name: pull }));
  expect(await one('queues show', pull)).toMatchObject({ name: pull });
  expect(await one('queues pause', pull)).toMatchObject({ is_paused: true });
  expect(await one('queues resume', pull)).toMatchObject({ is_paused: false });
  const exported = await answer('queues export', { args: [pull] });
  expect(exported).toContainEqual(expect.objectContaining({ name: 'n' }));
  const text = exported.map((line) => `${JSON.stringify(line)}\n`).join('');
  const imported = await answer('queues import', { input: text, args: [unservedQueue(), '--stdin'] });
  expect(imported).toMatchObject([{ line: 2, id: expect.any(String) }]);
  expect(await answer('jobs cancel', { args: [pull, String(waiting.id)] })).toMatchObject([
    { id: waiting.id },
  ]);
  expect(await one('queues drain', pull, '--yes')).toEqual({ queue: pull, removed: 0 });

  await one('cache set', 'user:1', '{"n": 1}', '--ttl', '60');
  expect(await one('cache get', 'user:1')).toEqual({ key: 'user:1', value: { n: 1 } });
  expect(await answer('cache list', { args: ['user:'] })).toMatchObject([{ key: 'user:1' }]);
  await one('cache delete', 'user:1');

  const policy = ['letters', '--limit', '7', '--period', 'hour'];
  expect(await one('limits create', ...policy)).toMatchObject({ name: 'letters' });
  expect(await one('limits update', 'letters', '--limit', '8')).toMatchObject({ limit: 8 });
  expect(await answer('limits list')).toContainEqual(expect.objectContaining({ name: 'letters' }));
  expect(await one('limits show', 'letters')).toMatchObject({ limit: 8 });
  await expect
    .poll(async () => (await here.sluice('limits', 'show', 'letters', 'ada', '--json')).status)
    .toBe(0);
  await one('limits show', 'letters', 'ada');
  await one('limits reset', 'letters', 'ada');
  await one('limits delete', 'letters');

  expect(await one('services test', ...host)).toMatchObject({ reachable: true });
  expect(await one('services create', 'orders', ...host)).toMatchObject({ name: 'orders' });
  expect(await one('services update', 'orders', '--default-ttl', '30')).toMatchObject({ name: 'orders' });
  expect(await answer('services list')).toContainEqual(expect.objectContaining({ name: 'orders' }));
  await one('services delete', 'orders');

  await here.product.call('/deliveries/endpoints/alerts', {
    method: 'PUT',
    json: { url: 'https://alerts.invalid/' },
  });
  expect(await answer('alerts list')).toContainEqual(expect.objectContaining({ name: 'redis-memory' }));
  await answer('alerts firing');
  expect(await one('alerts test', 'redis-memory')).toMatchObject({ id: expect.any(String) });

  const made = await one('keys create', '--label', 'shop', '--scope', 'board', ...at);
  const id = String(made.id);
  expect(made).toMatchObject({ label: 'shop', key: expect.stringMatching(`^sk_${id}_`) });
  expect(await one('keys update', id, '--suspend', '--expires', '30d', ...at)).toMatchObject({
    is_active: false,
  });
  expect(await one('keys update', id, '--restore', ...at)).toMatchObject({ is_active: true, version: 3 });
  const next = await one('keys rotate', id, '--overlap', '1h', ...at);
  expect(await one('keys show', id, ...at)).toMatchObject({ replaced_by: next.id });
  expect(await answer('keys list', { args: at })).toContainEqual(expect.objectContaining({ id: next.id }));
  expect(await one('keys revoke', String(next.id), ...at)).toMatchObject({
    revoked_at: expect.any(String),
  });

  expect([...asked].sort()).toEqual(speaking().sort());
});

test('what an API refuses of a key is told as it told it', async () => {
  const at = ['--url', here.variables.SLUICE_URL as string];

  const unknown = await here.sluice('keys', 'show', 'aaaaaaaaaaaa', '--json', ...at);
  const last = await here.sluice('keys', 'create', '--label', 'x', '--scope', 'queue:write', ...at);

  expect(unknown).toMatchObject({ status: 1, stdout: '' });
  expect(JSON.parse(unknown.stderr)).toMatchObject({ error: { status: 404, reason: 'key_unknown' } });
  expect(last).toMatchObject({ status: 1, stderr: expect.stringContaining("scope 'queue:write'") });
});
