/** This file owns the way to a Redis before anybody speaks for us: its name, its port, its certificate, and what it says to a stranger. */
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { HostPort, TlsConfig } from '@sluice/config';
import { within } from '@sluice/runtime';
import { reasonOf } from './answer.ts';

export interface Arrival extends HostPort {
  /** What the name stands for; empty when nothing. */
  addresses: readonly string[];
  /**
   * How far a stranger came: the name is unknown, nobody listens or the handshake failed, nothing was answered, or
   * something was.
   */
  reached: 'unresolved' | 'unconnected' | 'silent' | 'answered';
  /** Why not farther. */
  reason: string;
  /** Answer to a PING without a password: served, asked for one, refused by protected mode, still reading its data, something else. */
  greeting: 'served' | 'locked' | 'protected' | 'loading' | 'other' | undefined;
}

const NAME_DEADLINE_MS = 1_500;
const ARRIVAL_DEADLINE_MS = 2_000;

/** Never rejects; at most `NAME_DEADLINE_MS` and `ARRIVAL_DEADLINE_MS`. */
export async function arrive({ host, port }: HostPort, tls: TlsConfig | undefined): Promise<Arrival> {
  const start = { host, port, addresses: [], reason: '', greeting: undefined };
  let addresses: string[];
  try {
    const found = await within(lookup(host, { all: true }), NAME_DEADLINE_MS);
    addresses = found.map(({ address }) => address);
  } catch (error) {
    return { ...start, reached: 'unresolved', reason: reasonOf(error) };
  }
  let socket: Socket | undefined;
  let isConnected = false;
  try {
    const open = await opener({ host, port }, tls);
    const answer = new Promise<string>((resolve, reject) => {
      const opened = open(() => {
        isConnected = true;
        opened.write('PING\r\n');
      });
      socket = opened;
      opened.setEncoding('utf8').once('data', (text: unknown) => resolve(String(text)));
      // More than one may come, and one that nobody listens to ends the process.
      opened.on('error', reject);
      opened.once('close', () => reject(new Error('the connection was closed without an answer')));
    });
    const greeting = greetingOf(await within(answer, ARRIVAL_DEADLINE_MS));
    return { ...start, addresses, reached: 'answered', greeting };
  } catch (error) {
    return { ...start, addresses, reached: isConnected ? 'silent' : 'unconnected', reason: reasonOf(error) };
  } finally {
    socket?.destroy();
  }
}

async function opener(at: HostPort, tls: TlsConfig | undefined): Promise<(onOpen: () => void) => Socket> {
  if (!tls) return (onOpen) => connectPlain({ ...at, autoSelectFamily: true }, onOpen);
  const read = async (file: string | undefined) => (file === undefined ? undefined : await readFile(file));
  const [ca, cert, key] = await Promise.all([read(tls.caFile), read(tls.certFile), read(tls.keyFile)]);
  const name = tls.serverName ?? (isIP(at.host) === 0 ? at.host : undefined);
  const options = {
    ...at,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(name !== undefined && { servername: name }),
  };
  return (onOpen) => connectTls(options, onOpen);
}

/**
 * By the first word of the protocol's reply. MISCONF: its disk is full or its snapshot failed, and it would serve a
 * stranger all the same.
 */
function greetingOf(reply: string): Arrival['greeting'] {
  const [word = ''] = reply.split(/\s/, 1);
  return GREETINGS.get(word) ?? 'other';
}

const GREETINGS: ReadonlyMap<string, Arrival['greeting']> = new Map([
  ['+PONG', 'served'],
  ['-MISCONF', 'served'],
  ['-NOAUTH', 'locked'],
  ['-DENIED', 'protected'],
  ['-LOADING', 'loading'],
] as const);
