import type { AlertState } from '@sluice/system';
import { describe, expect, it } from 'vitest';
import { type Message, step, toldOf } from '../../src/alerts/step.ts';

const ALERT = { for_seconds: 60, quiet_seconds: 3_600 };

/** Looks of `[seconds, isBad]`; answers the messages as `[seconds, message]`, and what is remembered in the end. */
function run(looks: [number, boolean][], isReached = true) {
  let state: AlertState | undefined;
  const messages: [number, Message][] = [];
  for (const [seconds, isBad] of looks) {
    const nowMs = seconds * 1_000;
    const { next, message } = step(ALERT, { before: state, finding: { value: 1, isBad }, nowMs });
    state = next;
    if (!message || !next) continue;
    messages.push([seconds, message]);
    if (isReached) state = toldOf(next, message, nowMs);
  }
  return { messages, state };
}

describe('an alert', () => {
  it('is told once when it has been bad for long enough, and once when it is over', () => {
    const { messages, state } = run([
      [0, false],
      [15, true],
      [60, true],
      [75, true],
      [90, true],
      [105, false],
      [120, false],
    ]);

    expect(messages).toEqual([
      [75, 'firing'],
      [105, 'resolved'],
    ]);
    expect(state).toMatchObject({ phase: 'quiet', told: 'resolved', messages: 2 });
  });

  it('says nothing of what is over before its time', () => {
    expect(
      run([
        [0, true],
        [59, true],
        [60, false],
        [61, true],
      ]),
    ).toMatchObject({ messages: [], state: { phase: 'pending', sinceMs: 61_000 } });
  });

  it('is told again in each quiet time while it lasts', () => {
    const { messages } = run([
      [0, true],
      [60, true],
      [3_600, true],
      [3_660, true],
      [3_700, true],
      [7_260, true],
    ]);

    expect(messages).toEqual([
      [60, 'firing'],
      [3_660, 'reminder'],
      [7_260, 'reminder'],
    ]);
  });

  it('that comes back in its quiet time waits for the end of that, and is forgotten when it is over by then', () => {
    const flapping: [number, boolean][] = [
      [0, true],
      [60, true],
      [70, false],
      [80, true],
      [90, false],
      [100, true],
    ];

    expect(run([...flapping, [3_659, true], [3_660, true]]).messages).toEqual([
      [60, 'firing'],
      [70, 'resolved'],
      [3_660, 'firing'],
    ]);
    expect(run([...flapping, [110, false], [3_659, false], [3_660, false]])).toEqual({
      messages: [
        [60, 'firing'],
        [70, 'resolved'],
      ],
      state: undefined,
    });
  });

  it('is tried again until somebody is there to be told, and is not over for whom it never began', () => {
    expect(
      run(
        [
          [0, true],
          [60, true],
          [75, true],
          [90, false],
        ],
        false,
      ),
    ).toEqual({
      messages: [
        [60, 'firing'],
        [75, 'firing'],
      ],
      state: undefined,
    });
  });
});
