import { expect, test } from 'vitest';
import { Member, type MemberEnd, type MemberRun } from '../../src/up/member.ts';

const NO_DEADLINE = new AbortController().signal;

test('starts a part again each time it ends, and gives it up at the fifth end within a minute', async () => {
  const { member, told, runs } = setup();
  await member.start();

  for (let end = 0; end < 5; end += 1) (await runs.next()).end('signal SIGKILL', ['last words']);

  await expect(member.givenUp).rejects.toThrow('worker ended 5 times within a minute');
  expect(told).toEqual([
    ['worker ended with signal SIGKILL; started again in 0.001 s', ['last words']],
    ['worker ended with signal SIGKILL; started again in 0.002 s', ['last words']],
    ['worker ended with signal SIGKILL; started again in 0.004 s', ['last words']],
    ['worker ended with signal SIGKILL; started again in 0.008 s', ['last words']],
    ['worker ended with signal SIGKILL; not started again', ['last words']],
  ]);
  await member.stop(NO_DEADLINE);
  expect(runs.started).toBe(5);
});

test('counts a failed start as an end', async () => {
  const { member, told, runs } = setup();
  await member.start();
  runs.failWith(new Error('port taken'));

  (await runs.next()).end('status 1', []);

  await expect(member.givenUp).rejects.toThrow('worker ended 5 times within a minute');
  expect(told.slice(1)).toEqual(Array(4).fill(['worker did not start: port taken', []]));
});

test('lets the first start fail to whoever asked for it', async () => {
  const { member, told, runs } = setup();
  runs.failWith(new Error('port taken'));

  await expect(member.start()).rejects.toThrow('port taken');

  expect(told).toEqual([]);
});

test('tells nothing and starts nothing when it was asked to stop', async () => {
  const { member, told, runs } = setup();
  await member.start();

  await member.stop(NO_DEADLINE);

  expect({ told, started: runs.started }).toEqual({ told: [], started: 1 });
});

test('stops a part that was being started again while the stop was asked for', async () => {
  const { member, runs } = setup();
  await member.start();
  const first = await runs.next();
  const gate = runs.hold();
  first.end('status 1', []);
  await gate.reached;

  const stopped = member.stop(NO_DEADLINE);
  gate.open();
  await stopped;

  expect({ started: runs.started, stopped: runs.stopped }).toEqual({ started: 2, stopped: 1 });
});

interface FakeRun extends MemberRun {
  end(reason: string, lastLines: string[]): void;
}

/** A member whose runs the test ends as it likes; delays count in single milliseconds. */
function setup() {
  const told: [string, readonly string[]][] = [];
  const runs = fakeRuns();
  const member = new Member({
    name: 'worker',
    run: () => runs.run(),
    tell: (what, lines) => void told.push([what, lines]),
    firstDelayMs: 1,
  });
  return { member, told, runs };
}

function fakeRuns() {
  const waiting: FakeRun[] = [];
  let failure: Error | undefined;
  let gate: { reached: () => void; opened: Promise<void> } | undefined;
  const runs = {
    started: 0,
    stopped: 0,
    async run(): Promise<MemberRun> {
      gate?.reached();
      await gate?.opened;
      if (failure) throw failure;
      runs.started += 1;
      const run = fakeRun(() => {
        runs.stopped += 1;
      });
      waiting.push(run);
      return run;
    },
    failWith(error: Error) {
      failure = error;
    },
    /** The next run to be started waits for `open`; `reached` resolves when it does. */
    hold() {
      let reach: () => void = () => undefined;
      let open: () => void = () => undefined;
      const reached = new Promise<void>((resolve) => {
        reach = resolve;
      });
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      gate = { reached: reach, opened };
      return { reached, open };
    },
    async next(): Promise<FakeRun> {
      await expect.poll(() => waiting.length).toBeGreaterThan(0);
      return waiting.shift() as FakeRun;
    },
  };
  return runs;
}

function fakeRun(onStop: () => void): FakeRun {
  let settle: (end: MemberEnd) => void = () => undefined;
  const ended = new Promise<MemberEnd>((resolve) => {
    settle = resolve;
  });
  let hasEnded = false;
  return {
    ended,
    end: (reason, lastLines) => {
      hasEnded = true;
      settle({ reason, lastLines });
    },
    async stop() {
      if (!hasEnded) onStop();
      settle({ reason: 'status 0', lastLines: [] });
    },
  };
}
