/** This file owns a DNS server for tests: answers A and AAAA from a table, over UDP, with a TTL of 0. */
import { createSocket } from 'node:dgram';
import type { TestContext } from '@sluice/redis/testing';
import ipaddr from 'ipaddr.js';

/** Asked anew for each query; `null` never answers. */
export type Zone = Readonly<Record<string, () => readonly string[] | null>>;

const TYPE = { A: 1, AAAA: 28 } as const;
const HEADER_BYTES = 12;

/** Answers its address as `EGRESS_DNS` has it. */
export async function dnsServer(t: TestContext, zone: Zone): Promise<string> {
  const socket = createSocket('udp4');
  socket.on('message', (query, peer) => {
    const { name, type, end } = question(query);
    const addresses = Object.hasOwn(zone, name) ? zone[name]?.() : undefined;
    if (addresses === null) return;
    const answers = (addresses ?? [])
      .map(bytesOf)
      .filter(({ length }) => (type === TYPE.A ? 4 : 16) === length);
    socket.send(
      reply({ query, end, type, answers, isKnown: addresses !== undefined }),
      peer.port,
      peer.address,
    );
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.onTestFinished(() => void socket.close());
  return `127.0.0.1:${socket.address().port}`;
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** RFC 1035 §4.1: the question again, then an answer for each address that points back to its name. */
function reply(options: {
  query: Buffer;
  end: number;
  type: number;
  answers: Buffer[];
  isKnown: boolean;
}): Buffer {
  const { query, end, type, answers, isKnown } = options;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.readUInt16BE(0), 0);
  header.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  const records = answers.map((address) => {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt16BE(address.length, 10);
    return Buffer.concat([record, address]);
  });
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...records]);
}

function bytesOf(address: string): Buffer {
  return Buffer.from(ipaddr.parse(address).toByteArray());
}
