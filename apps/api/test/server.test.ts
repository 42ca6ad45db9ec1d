import { Agent, get, type IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { HttpServer } from '../src/server.ts';

function ask(url: string, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (answer) => {
      answer.resume().once('end', () => resolve(answer));
    }).once('error', reject);
  });
}

it('serves on while it leaves, and lets kept connections go with their next answer once it stops', async (t) => {
  const [leaving, stopping] = [new AbortController(), new AbortController()];
  const listener = (_: unknown, outgoing: { end: (text: string) => void }) => outgoing.end('served');
  const server = new HttpServer({
    listener: listener as never,
    host: '127.0.0.1',
    port: 0,
    leaving,
    stopping,
  });
  await server.start();
  const agent = new Agent({ keepAlive: true });
  t.onTestFinished(() => agent.destroy());
  const url = `http://127.0.0.1:${server.port}/`;

  const before = await ask(url, agent);
  const lingering = server.linger(200);
  const kept = await ask(url, agent);
  const signals = [leaving.signal.aborted, stopping.signal.aborted];
  await lingering;
  const stopped = server.stop(AbortSignal.timeout(10_000));
  const stranger = new Agent();
  await expect.poll(() => ask(url, stranger).catch(({ code }) => code)).toBe('ECONNREFUSED');
  const last = await ask(url, agent);
  await stopped;

  expect([before, kept, last].map(({ headers }) => headers.connection)).toEqual([
    'keep-alive',
    'keep-alive',
    'close',
  ]);
  expect(signals).toEqual([true, false]);
  expect(stopping.signal.aborted).toBe(true);
});
