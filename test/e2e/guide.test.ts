import { STATUS } from '@sluice/contract';
import { describe, expect, it } from 'vitest';
import { httpGuide, replay, unservedRoutes } from './document.ts';

describe('the HTTP guide', () => {
  it('has commands that all work in order, for every route, and answer what it says', {
    timeout: 180_000,
  }, async (t) => {
    const { product, faults, streams } = await replay(t, await httpGuide());

    expect(faults).toEqual([]);
    for (const stream of streams) expect(stream).toMatch(/^id: \d+-\d+\n(event: \w+\n)?data: /m);
    // The log is written a moment later than the answer.
    await expect.poll(() => unservedRoutes(product), { timeout: 5_000 }).toEqual([]);
  });

  it('states every reason of an error with its status', async () => {
    const rows = [...(await httpGuide()).matchAll(/^\| (\d{3}) \| ((?:`\w+` ?)+)\|/gm)];

    const stated = rows.flatMap(([, status, reasons]) =>
      [...(reasons as string).matchAll(/`(\w+)`/g)].map(([, reason]) => [reason, Number(status)]),
    );

    expect(stated.length).toBe(Object.keys(STATUS).length);
    expect(Object.fromEntries(stated)).toEqual(STATUS);
  });
});
