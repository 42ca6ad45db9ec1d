/** This file owns the choice of a port on 127.0.0.1. Between the look and the use another process may take it. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which systems number outgoing connections (32768 on Linux, 49152 elsewhere): a port from within
 * it may belong to somebody's connection by the time the server comes back to it.
 */
const QUIET_PORTS = { from: 20_000, to: 32_000 };
const ATTEMPTS = 20;

export async function freePort(): Promise<number> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const port = randomInt(QUIET_PORTS.from, QUIET_PORTS.to);
    if (await isFree(port)) return port;
  }
  return await listenOnce(0);
}

export async function isFree(port: number): Promise<boolean> {
  try {
    await listenOnce(port);
    return true;
  } catch {
    // Taken or forbidden; either way not ours to use.
    return false;
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
