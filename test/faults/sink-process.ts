/**
 * This file owns the sink's process: what jobs do to the world outside, a line in a file for each call, on disk before it
 * is answered. The first line of a key is its effect; faults pass this process by.
 *
 *   node sink-process.ts <file> <max delay in ms>
 */
import { open } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const BATCH_MS = 5;
const [path, maxDelay] = process.argv.slice(2);
if (!path) throw new TypeError('no file to write to');
const maxDelayMs = Number(maxDelay ?? 0);
const file = await open(path, 'ax');
let waiting: { line: string; response: ServerResponse }[] = [];
let isWriting = false;
const counts = { calls: 0 };

async function write(): Promise<void> {
  if (isWriting || waiting.length === 0) return;
  isWriting = true;
  const batch = waiting;
  waiting = [];
  await file.write(batch.map(({ line }) => line).join(''));
  await file.datasync();
  counts.calls += batch.length;
  for (const { response } of batch) response.writeHead(200).end();
  isWriting = false;
}
setInterval(() => void write(), BATCH_MS);

const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (request, response) => {
  request.resume();
  if (request.method === 'GET') return response.end(JSON.stringify(counts));
  const key = request.headers['idempotency-key'] ?? request.headers['webhook-id'];
  if (typeof key !== 'string') return response.writeHead(400).end();
  const job = request.headers['x-job-id'] ?? request.headers['webhook-id'];
  const put = () => waiting.push({ line: `${JSON.stringify({ key, job, at: Date.now() })}\n`, response });
  if (maxDelayMs === 0) put();
  else setTimeout(put, Math.random() * maxDelayMs);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`sink listening at ${(server.address() as AddressInfo).port}\n`);
});
