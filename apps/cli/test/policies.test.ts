import { expect, test, vi } from 'vitest';
import { runningSluice } from './running-sluice.ts';

vi.setConfig({ testTimeout: 30_000 });

const here = runningSluice();

test('policies are made, changed and removed', async () => {
  const made = await here.sluice(
    ...['limits', 'create', 'letters', '--algorithm', 'sliding', '--limit', '100', '--period', 'hour'],
  );
  const again = await here.sluice(
    'limits',
    'create',
    'letters',
    '--limit',
    '1',
    '--period',
    'hour',
    '--json',
  );
  const changed = await here.sluice(
    'limits',
    'update',
    'letters',
    '--data',
    '{"shadow": true}',
    '--limit',
    '7',
    '--json',
  );
  const shown = await here.lines('limits', 'show', 'letters', '--json');
  const nothing = await here.sluice('limits', 'update', 'letters');
  const removed = await here.sluice('limits', 'delete', 'letters');
  const gone = await here.sluice('limits', 'delete', 'letters');

  expect(made).toEqual({
    status: 0,
    stdout: 'Policy letters is made; every server obeys it within 2 s.\n',
    stderr: '',
  });
  expect(again.status).toBe(1);
  expect(JSON.parse(changed.stdout)).toMatchObject({
    name: 'letters',
    limit: 7,
    shadow: true,
    period: 'hour',
  });
  expect(shown).toMatchObject([{ algorithm: 'sliding', limit: 7, shadow: true }]);
  expect(nothing).toMatchObject({ status: 2, stderr: expect.stringContaining('Say what changes') });
  expect(removed.stdout).toBe('Policy letters is removed.\n');
  expect(gone).toMatchObject({ status: 1, stderr: expect.stringContaining("'letters'") });
});

test('a cache service is changed in what the options name', async () => {
  await here.sluice('services', 'create', 'parcels', '--type', 'cache_local', '--label', 'Parcels');

  const changed = await here.sluice('services', 'update', 'parcels', '--default-ttl', '30', '--json');
  const nothing = await here.sluice('services', 'update', 'parcels');

  expect(JSON.parse(changed.stdout)).toMatchObject({
    name: 'parcels',
    type: 'cache_local',
    label: 'Parcels',
    config: { default_ttl: 30 },
  });
  expect(nothing).toMatchObject({ status: 2, stderr: expect.stringContaining('Say what changes') });
});
