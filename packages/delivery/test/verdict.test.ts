import { expect, test } from 'vitest';
import { isAnsweredByHost, judgeStatus, type Verdict } from '../src/verdict.ts';

test('every status has one meaning', () => {
  const again = [408, 409, 425, 429];
  for (let status = 200; status < 600; status += 1) {
    let wanted: Verdict = 'retry';
    if (status < 300) wanted = 'delivered';
    else if (status === 410) wanted = 'gone';
    else if (status >= 400 && status < 500 && !again.includes(status)) wanted = 'final';

    expect([status, judgeStatus(status)]).toEqual([status, wanted]);
  }
});

test('a proxy that answers for its host is no answer of the host', () => {
  expect([200, 404, 500, 501, 502, 503, 504].map(isAnsweredByHost)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});
