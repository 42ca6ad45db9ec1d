import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { routes, STATUS } from '@sluice/contract';
import { describe, expect, it } from 'vitest';
import { ROOT, replay } from './document.ts';

async function guide(): Promise<string> {
  return await readFile(join(ROOT, 'docs/http-guide.md'), 'utf8');
}

/** Ids of the routes that the API has answered with success. */
function routesServed(output: string): Set<string> {
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  const requests = lines.map((line) => JSON.parse(line) as { msg?: string; route?: string; status?: number });
  return new Set(
    requests.flatMap(({ msg, route, status = 500 }) =>
      msg === 'request' && route !== undefined && status < 300 ? [route] : [],
    ),
  );
}

describe('the HTTP guide', () => {
  it('has commands that all work in order, for every route, and answer what it says', {
    timeout: 180_000,
  }, async (t) => {
    const { product, faults, streams } = await replay(t, await guide());

    expect(faults).toEqual([]);
    for (const stream of streams) expect(stream).toMatch(/^id: \d+-\d+\n(event: \w+\n)?data: /m);
    const uncalled = () => {
      const called = routesServed(product.api.output);
      return Object.keys(routes).filter((id) => !called.has(id));
    };
    // The log is written a moment later than the answer.
    await expect.poll(uncalled, { timeout: 5_000 }).toEqual([]);
  });

  it('states every reason of an error with its status', async () => {
    const rows = [...(await guide()).matchAll(/^\| (\d{3}) \| ((?:`\w+` ?)+)\|/gm)];

    const stated = rows.flatMap(([, status, reasons]) =>
      [...(reasons as string).matchAll(/`(\w+)`/g)].map(([, reason]) => [reason, Number(status)]),
    );

    expect(stated.length).toBe(Object.keys(STATUS).length);
    expect(Object.fromEntries(stated)).toEqual(STATUS);
  });
});
