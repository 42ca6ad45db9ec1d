/** This file owns the job that every side enqueues: a name and some 220 bytes of data. */
export const JOB = { name: 'bench', data: { to: 'ada', text: 'x'.repeat(200) } };
