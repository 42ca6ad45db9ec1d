import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, type TestContext, test } from 'vitest';
import { type Service, startAll } from '../src/index.ts';

function setup() {
  const events: string[] = [];
  const service = (name: string, parts: Partial<Service> = {}): Service => ({
    name,
    start: () => void events.push(`start ${name}`),
    stop: () => void events.push(`stop ${name}`),
    ...parts,
  });
  return { events, service };
}

describe('services', () => {
  test('start in order and stop in reverse', async () => {
    const { events, service } = setup();
    const running = await startAll([service('a'), service('b'), service('c')]);

    expect(await running.stop()).toEqual([]);

    expect(events).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
  });

  test('wait for the one before them', async () => {
    const { events, service } = setup();
    let ready = () => {};
    const slow = service('slow', { start: () => new Promise<void>((resolve) => (ready = resolve)) });

    const starting = startAll([slow, service('next')]);
    await Promise.resolve();
    expect(events).toEqual([]);
    ready();
    await starting;

    expect(events).toEqual(['start next']);
  });

  test('that started are stopped when one fails, and the failure is told', async () => {
    const { events, service } = setup();
    const failing = service('failing', { start: () => Promise.reject(new Error('port taken')) });

    await expect(startAll([service('a'), failing, service('never')])).rejects.toThrow('port taken');

    expect(events).toEqual(['start a', 'stop a']);
  });

  test('are stopped once, however often they are asked', async () => {
    const { events, service } = setup();
    const running = await startAll([service('a')]);

    await Promise.all([running.stop(), running.stop()]);
    await running.stop();

    expect(events).toEqual(['start a', 'stop a']);
  });

  test('need neither a start nor a stop', async () => {
    const running = await startAll([{ name: 'still' }]);

    expect(await running.stop()).toEqual([]);
  });

  test('that fail to stop are named, with the reason, and keep no other from stopping', async () => {
    const { events, service } = setup();
    const failures: [string, unknown][] = [];
    const sync = service('sync', {
      stop: () => {
        throw new Error('one');
      },
    });
    const late = service('async', { stop: () => Promise.reject(new Error('two')) });
    const running = await startAll([service('a'), sync, late], {
      onStopFailure: (...failure) => void failures.push(failure),
    });

    expect(await running.stop()).toEqual(['async', 'sync']);

    expect(events.at(-1)).toBe('stop a');
    expect(failures).toEqual([
      ['async', new Error('two')],
      ['sync', new Error('one')],
    ]);
  });

  test('that miss the deadline are told so, named and left behind', async () => {
    const { events, service } = setup();
    let wasTold = false;
    const hanging = service('hanging', {
      stop: (signal) =>
        new Promise<void>(() => {
          signal.addEventListener('abort', () => {
            wasTold = true;
          });
        }),
    });
    const running = await startAll([service('a'), hanging]);
    const startedAt = performance.now();

    expect(await running.stop(50)).toContain('hanging');

    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(wasTold).toBe(true);
    expect(events.at(-1)).toBe('stop a');
  });
});

describe('a process', () => {
  function start(t: TestContext) {
    const lifecycle = new URL('../src/lifecycle.ts', import.meta.url).href;
    const program = `
      const { untilSignal } = await import(${JSON.stringify(lifecycle)});
      setInterval(() => {}, 1_000);
      const asked = untilSignal();
      console.log('ready');
      console.log(await asked);
      await new Promise(() => {});`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.onTestFinished(() => void child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const line = async () => String((await lines.next()).value);
    return { child, line };
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`hears ${signal} and goes on until it has stopped`, async (t) => {
      const { child, line } = start(t);
      expect(await line()).toBe('ready');

      child.kill(signal);

      expect(await line()).toBe(signal);
      expect(child.exitCode).toBeNull();
    });
  }

  test('ends at once when asked twice, and not when npm passes on the first', async (t) => {
    const { child, line } = start(t);
    await line();
    const exit = once(child, 'exit');

    child.kill('SIGINT');
    await line();
    child.kill('SIGINT');
    const repeat = setInterval(() => child.kill('SIGINT'), 50);
    const startedAt = performance.now();
    const [status] = await exit;
    clearInterval(repeat);

    expect(status).toBe(1);
    expect(performance.now() - startedAt).toBeGreaterThan(300);
  });
});
