/** This file owns the ports of `sluice up`: found before anything is started, with words when one cannot be had. */
import { createConnection, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { CommandFailure } from '../failure.ts';

const POLL_MS = 25;

/** The port to use: the one asked for, or a free one for 0. Rejects with the fix in words. */
export function findPort({ host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      reject(new CommandFailure(explain(error, host, port))),
    );
    probe.listen(port, host, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}

/** `preferred` when it is free at `host`, else any that is. */
export async function findPortNear(options: { host: string; preferred: number }): Promise<number> {
  const { host, preferred } = options;
  try {
    return await findPort({ host, port: preferred });
  } catch {
    // Whoever has it, we can do without it.
    return await findPort({ host, port: 0 });
  }
}

/** Resolves when somebody listens there; polls until `until` aborts, then rejects. */
export async function untilListeningOn(options: {
  host: string;
  port: number;
  until: AbortSignal;
}): Promise<void> {
  const { host, port, until } = options;
  while (!(await accepts(host, port))) await wait(POLL_MS, undefined, { signal: until });
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const settle = (isAccepted: boolean) => () => {
      socket.destroy();
      resolve(isAccepted);
    };
    socket.once('connect', settle(true));
    socket.once('error', settle(false));
  });
}

function explain({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  switch (code ?? '') {
    case 'EADDRINUSE':
      return (
        `Port ${port} is taken: another program, or another Sluice, listens there. ` +
        `Stop it, or choose another port: PORT=${port === 65_535 ? 8_080 : port + 1} npm start, or \`npx sluice up --port …\`.`
      );
    case 'EACCES':
      return `This user may not listen on port ${port}. Choose one above 1023: PORT=8080 npm start.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `This machine has no address '${host}'. Set HOST to one of its own: 127.0.0.1 for this machine alone, 0.0.0.0 for all.`;
    default:
      return `Cannot listen on ${host}:${port}: ${message}.`;
  }
}
