import { expect, test } from 'vitest';
import { renderLogLine } from '../../src/up/log-line.ts';

const AT = new Date(2026, 10, 23, 12, 30, 5).toISOString();

test.for([
  {
    case: 'a record: time, app, phrase, fields',
    record: {
      level: 'info',
      time: AT,
      pid: 1,
      hostname: 'h',
      name: 'api',
      msg: 'listening',
      host: '127.0.0.1',
      port: 80,
    },
    reads: '12:30:05 api    listening  host=127.0.0.1 port=80',
  },
  {
    case: 'a level that asks for attention',
    record: { level: 'warn', time: AT, name: 'api', msg: 'redis away', reason: 'connect ECONNREFUSED' },
    reads: '12:30:05 api    warn redis away  reason="connect ECONNREFUSED"',
  },
  {
    case: 'an error: its message, without the stack',
    record: {
      level: 'error',
      time: AT,
      msg: 'lost',
      error: { type: 'Error', message: 'no luck', stack: 'Error\n at x' },
    },
    reads: '12:30:05 api    error lost  error="no luck"',
  },
  {
    case: 'no fields',
    record: { level: 'info', time: AT, msg: 'worker started' },
    reads: '12:30:05 api    worker started',
  },
])('reads $case', ({ record, reads }) => {
  expect(renderLogLine('api', JSON.stringify(record), { isColoured: false })).toBe(reads);
});

test.for(['plain words', '{"msg": broken', '{"no":"message"}', ''])(
  'leaves %j as it is, behind the name',
  (line) => {
    expect(renderLogLine('worker', line, { isColoured: false })).toBe(`         worker ${line}`);
  },
);

test('colours by level for a terminal', () => {
  const line = JSON.stringify({ level: 'error', time: AT, msg: 'lost' });

  expect(renderLogLine('api', line, { isColoured: true })).toContain('\u001b[31merror lost\u001b[39m');
});
