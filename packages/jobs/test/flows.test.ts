import { JsonText } from '@sluice/runtime';
import { describe, expect, it } from 'vitest';
import type { FlowJob } from '../src/flows.ts';
import type { FlowPolicy } from '../src/schemas.ts';
import { setup } from './setup.ts';

describe('a flow', () => {
  it('goes in as a tree and comes out as one, data byte for byte', async (t) => {
    const { jobs } = await setup(t);
    const tree: FlowJob = {
      queue: 'build',
      name: 'assemble',
      data: new JsonText('{"n":1.0}'),
      children: [
        { queue: 'parts', name: 'wheel', data: 1, opts: { priority: 3 } },
        { queue: 'parts', name: 'frame', children: [{ queue: 'steel', name: 'weld' }] },
      ],
    };

    const added = await jobs.flows.add(tree);

    expect(added).toMatchObject({
      state: 'waiting-children',
      children: [
        { state: 'prioritized' },
        { state: 'waiting-children', children: [{ queue: 'steel', state: 'waiting' }] },
      ],
    });
    const view = await jobs.flows.get('build', added.id);
    expect(view.job?.data.text).toBe('{"n":1.0}');
    expect(view.job?.state).toBe('waiting-children');
    const names = view.children.map(({ job }) => job?.name).sort();
    expect(names).toEqual(['frame', 'wheel']);
    const frame = view.children.find(({ job }) => job?.name === 'frame');
    expect(frame?.job?.parent).toEqual({ queue: 'build', id: added.id });
    expect(frame?.children.map(({ queue }) => queue)).toEqual(['steel']);
    expect((await jobs.queues()).map(({ name }) => name)).toEqual(['build', 'parts', 'steel']);
  });

  it('runs a parent after its children', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const order: string[] = [];
    const added = await jobs.flows.add({
      queue: 'q',
      name: 'parent',
      children: [
        { queue: 'q', name: 'child' },
        { queue: 'q', name: 'child' },
      ],
    });

    const waiting = jobs.waitForResult('q', added.id, { timeoutMs: 8_000 });
    bullWorker('q', ({ name }) => order.push(name));

    expect(await waiting).toMatchObject({ kind: 'completed' });
    expect(order).toEqual(['child', 'child', 'parent']);
  });

  for (const [policy, kind] of [
    ['fail_parent', 'failed'],
    ['continue_parent', 'completed'],
    ['ignore', 'completed'],
    ['forget', 'completed'],
    ['wait', 'pending'],
    [undefined, 'failed'],
  ] as [FlowPolicy | undefined, string][]) {
    it(`ends ${kind} when a child fails with ${policy ?? 'no policy'}`, async (t) => {
      const { jobs, bullWorker } = await setup(t);
      const added = await jobs.flows.add({
        queue: 'q',
        name: 'parent',
        children: [{ queue: 'q', name: 'bad', onFailure: policy }],
      });

      const waiting = jobs.waitForResult('q', added.id, { timeoutMs: policy === 'wait' ? 800 : 8_000 });
      bullWorker('q', ({ name }) => {
        if (name === 'bad') throw new Error('broken');
        return 'built';
      });

      expect((await waiting).kind).toBe(kind);
    });
  }

  it('fails a parent that ends before its other children have', async (t) => {
    const { jobs, bullWorker } = await setup(t);
    const added = await jobs.flows.add({
      queue: 'q',
      name: 'parent',
      children: [
        { queue: 'q', name: 'bad', onFailure: 'continue_parent' },
        { queue: 'parts', name: 'slow', onFailure: 'continue_parent' },
      ],
    });

    const waiting = jobs.waitForResult('q', added.id, { timeoutMs: 8_000 });
    bullWorker('q', ({ name }) => {
      if (name === 'bad') throw new Error('broken');
      return 'built';
    });

    expect(await waiting).toMatchObject({
      kind: 'failed',
      error: { message: `Job ${added.id} has pending dependencies. moveToFinished` },
    });
  });

  it('can be cancelled whole', async (t) => {
    const { jobs } = await setup(t);
    const added = await jobs.flows.add({
      queue: 'q',
      name: 'parent',
      children: [{ queue: 'parts', name: 'child' }],
    });

    expect(await jobs.cancel('q', added.id)).toEqual({ kind: 'removed' });

    expect((await jobs.queue('parts')).counts.waiting).toBe(0);
    expect((await jobs.queue('q')).counts['waiting-children']).toBe(0);
  });

  for (const [what, flow] of [
    ['an unknown option', { queue: 'q', name: 'n', opts: { parent: { id: 'x', queue: 'y' } } }],
    ['a deduplicated job', { queue: 'q', name: 'n', opts: { deduplication: { id: 'd' } } }],
    ['a bad queue name in its depth', { queue: 'q', name: 'n', children: [{ queue: 'a:b', name: 'n' }] }],
    [
      'an unknown policy',
      { queue: 'q', name: 'n', children: [{ queue: 'q', name: 'n', onFailure: 'shrug' }] },
    ],
    [
      'too many jobs',
      { queue: 'q', name: 'n', children: Array.from({ length: 500 }, () => ({ queue: 'q', name: 'n' })) },
    ],
    [
      'too deep a tree',
      Array.from({ length: 10 }).reduce((child) => ({ queue: 'q', name: 'n', children: [child] }), {
        queue: 'q',
        name: 'n',
      }),
    ],
  ] as [string, FlowJob][]) {
    it(`refuses ${what}, and adds nothing`, async (t) => {
      const { jobs, redis } = await setup(t);

      await expect(jobs.flows.add(flow)).rejects.toMatchObject({ code: 'job_invalid' });

      expect(await redis.allKeys()).toEqual([]);
    });
  }
});
