/** This file owns the variables of the examples: what only a running server can tell, and the calls that make it tell. */
import type { Variable } from '../example.ts';

const demo = { queue: 'demo' };
const PULLED = 'pull-images';
const DELAYED = { name: 'example.echo', data: { hello: 'later' }, opts: { delay: 3_600_000 } };

export const variables = {
  JOB_ID: {
    sample: 'j_1kq7vzx2m4n8p6r3',
    calls: [{ route: 'enqueueJobs', example: { params: demo, query: { wait: '30' }, status: 200 } }],
    member: ['id'],
  },
  DELAYED_JOB_ID: {
    sample: 'j_5tq2yhw9c1d7f4b8',
    calls: [{ route: 'enqueueJobs', example: { params: demo, body: DELAYED } }],
    member: ['id'],
  },
  FLOW_ID: { sample: 'j_3wz8kdn5s2v9x7t1', calls: [{ route: 'addFlow' }], member: ['id'] },
  LEASE: {
    sample: 'bGVhc2Utb2YtYS1qb2I',
    calls: [
      { route: 'enqueueJobs', example: { params: { queue: PULLED } } },
      { route: 'takeLeases', example: { params: { queue: PULLED } } },
    ],
    member: ['resource', 0, 'lease'],
  },
  CACHE_LEASE: {
    sample: 'r7Xc0Vb2Qm9Lk4Td',
    calls: [
      { route: 'deleteValue', example: { params: { key: 'report' }, query: { ignore_missing: 'true' } } },
      { route: 'leaseValue' },
    ],
    member: ['lease'],
  },
  SESSION_TOKEN: {
    sample: 'q0ZpT3JkZXJzLXNlc3Npb24tdG9rZW4tdGhhdC1vcGVucy1ub3RoaW5nLWFuZC1pcy1hbi1leGFtcGxl'.slice(0, 80),
    calls: [{ route: 'createSession' }],
    member: ['session_token'],
  },
  SESSION_ID: {
    sample: 'x4Tq9Lm2Vb7Rk0Zc5Wd8Ng',
    calls: [{ route: 'createSession' }],
    member: ['id'],
  },
  KEY_ID: { sample: 'a1B2c3D4e5F6', calls: [{ route: 'createKey' }], member: ['id'] },
} as const satisfies Readonly<Record<string, Variable>>;

export type VariableName = keyof typeof variables;

/** Throws `TypeError` for a name that is not declared: a misspelt one. */
export function variableOf(name: string): Variable {
  if (!Object.hasOwn(variables, name)) {
    throw new TypeError(`an example uses $${name}, which packages/contract/src/examples/variables.ts lacks`);
  }
  return variables[name as VariableName];
}
