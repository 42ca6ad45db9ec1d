/**
 * This file owns how an entry is stored that is more than its text. A plain value is its JSON text and nothing else, so
 * that any Redis client can read it. With a grace, with tags or compressed it is a frame:
 *
 *     U+0001  {"g": grace in ms, "t": [[tag, generation], …], "z": 1 when deflated}  LF  text or deflated text
 *
 * No JSON text begins with U+0001, so the first byte tells which it is.
 */
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { StoredInput } from './driver.ts';

export type TagGenerations = readonly (readonly [tag: string, generation: string])[];

export interface Frame {
  /** Milliseconds at the end of the entry's life in which it is stale; 0 none. */
  graceMs: number;
  tags: TagGenerations;
  isDeflated: boolean;
  payload: Buffer;
}

const FRAME_MARK = 0x01;
const LINE_FEED = 0x0a;
/** Redis' own bound of a string. */
const MAX_TEXT_BYTES = 536_870_912;

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

export function isFrame(stored: Buffer): boolean {
  return isFrameMark(stored[0]);
}

export function isFrameMark(firstByte: number | undefined): boolean {
  return firstByte === FRAME_MARK;
}

export function readFrame(stored: Buffer): Frame {
  const headEnd = stored.indexOf(LINE_FEED);
  const head = JSON.parse(stored.toString('utf8', 1, headEnd)) as { g?: number; t?: TagGenerations; z?: 1 };
  return {
    graceMs: head.g ?? 0,
    tags: head.t ?? [],
    isDeflated: head.z === 1,
    payload: stored.subarray(headEnd + 1),
  };
}

/** The frame's text. */
export async function frameText({ isDeflated, payload }: Frame): Promise<string> {
  return isDeflated
    ? (await inflate(payload, { maxOutputLength: MAX_TEXT_BYTES })).toString()
    : payload.toString();
}

/** The plain text when there is nothing to say beside it. Deflates a text longer than `deflateOverBytes` when that makes it shorter. */
export async function writeFrame(
  text: string,
  options: { graceMs: number; tags: TagGenerations; deflateOverBytes: number },
): Promise<StoredInput> {
  const { graceMs, tags, deflateOverBytes } = options;
  const plain = Buffer.from(text);
  const deflated = plain.length > deflateOverBytes ? await deflate(plain) : undefined;
  const isDeflated = deflated !== undefined && deflated.length < plain.length;
  if (graceMs === 0 && tags.length === 0 && !isDeflated) return text;
  const head = {
    ...(graceMs > 0 && { g: graceMs }),
    ...(tags.length > 0 && { t: tags }),
    ...(isDeflated && { z: 1 }),
  };
  return Buffer.concat([Buffer.from(`\u0001${JSON.stringify(head)}\n`), isDeflated ? deflated : plain]);
}
