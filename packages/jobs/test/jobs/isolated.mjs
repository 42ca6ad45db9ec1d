// A job for the tests of sandboxes: does what its payload says, in a process of its own.
export default {
  name: 'isolated',
  isolation: 'process',
  abortGraceMs: 300,
  payload: { safeParse: (data) => ({ success: true, data: { ...data, at: new Date(0) } }) },
  async run(payload, { signal, progress, log, attempt, jobId }) {
    switch (payload.act) {
      case 'answer':
        await progress({ half: true });
        await log(`job ${jobId}, attempt ${attempt}`);
        return { pid: process.pid, at: payload.at.toISOString() };
      case 'throw':
        throw new RangeError('out of paper');
      case 'fatal':
        throw Object.assign(new Error('no such printer'), { name: 'DomainError', code: 'fatal' });
      case 'exit':
        process.exit(3);
        break;
      case 'spin':
        await progress(process.pid);
        for (;;);
      case 'wait':
        await progress(process.pid);
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        );
      case 'chatter':
        await progress('x'.repeat(5_000));
    }
  },
};
