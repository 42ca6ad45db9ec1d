/**
 * This file owns the text of an API key: `sk_<id>_<secret>_<crc32>`, all base62. The id (12) finds the record, the
 * secret (43, 256 bits) proves it, the checksum (6) lets scanners of leaked secrets tell a key from a likeness. We need
 * no checksum to refuse a key, so nothing here reads it.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_CHARACTERS = 12;
const SECRET_CHARACTERS = 43;
const CHECKSUM_CHARACTERS = 6;
const SHAPE = /^sk_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/;
const ID_START = 3;

/** A key of another format (SLUICE_API_KEY): what a header can carry, and too long to be guessed. */
export const FIRST_KEY_MIN_CHARACTERS = 16;
const FOREIGN_SHAPE = /^[\x21-\x7e]{16,256}$/;

export function mintApiKey(): { id: string; key: string } {
  const id = randomBase62(ID_CHARACTERS);
  const body = `sk_${id}_${randomBase62(SECRET_CHARACTERS)}`;
  return { id, key: `${body}_${checksum(body)}` };
}

/** The id inside a text of our own format; `undefined` for every other text. */
export function ownKeyId(text: string): string | undefined {
  return SHAPE.test(text) ? text.slice(ID_START, ID_START + ID_CHARACTERS) : undefined;
}

export function isForeignKey(text: string): boolean {
  return FOREIGN_SHAPE.test(text);
}

/** The id of a key that carries none: the same key has the same id wherever the pepper is the same. */
export function foreignKeyId(pepper: Buffer, text: string): string {
  const bits = createHmac('sha256', pepper).update('id\0').update(text).digest();
  return base62(bits.readUInt32BE(0), ID_CHARACTERS / 2) + base62(bits.readUInt32BE(4), ID_CHARACTERS / 2);
}

export function keyDigest(pepper: Buffer, text: string | Buffer): Buffer {
  return createHmac('sha256', pepper).update('key\0').update(text).digest();
}

/** Tells peppers apart without telling anything of them. */
export function pepperMark(pepper: Buffer): string {
  return createHmac('sha256', pepper).update('mark\0').digest('base64url').slice(0, 16);
}

function checksum(text: string): string {
  return base62(crc32(text), CHECKSUM_CHARACTERS);
}

/** `value` below 2^32, so that six characters hold it. */
function base62(value: number, length: number): string {
  let rest = value;
  let text = '';
  for (let place = 0; place < length; place += 1) {
    text = `${ALPHABET[rest % 62]}${text}`;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/** Bytes of 248 and more are thrown away, for 248 is the last multiple of 62: every character is equally likely. */
function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
    }
  }
  return text;
}
