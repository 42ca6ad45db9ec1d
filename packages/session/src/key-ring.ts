/** This file owns signing with keys that are replaced in service: the first key signs, every key verifies. */
import { createHmac, timingSafeEqual } from 'node:crypto';

export const MIN_KEY_BYTES = 32;
/** 32 bytes in base64url. */
export const MAC_CHARACTERS = 43;

/**
 * To replace a key, put the new one first and take the old one away when what it signed has expired.
 *
 * `purpose` parts what is signed for one use from every other: a MAC of one never verifies for another.
 */
export class KeyRing {
  readonly #keys: readonly Buffer[];

  /** Throws `TypeError` without a key, or with one shorter than `MIN_KEY_BYTES`. */
  constructor(keys: readonly Buffer[]) {
    if (keys.length === 0) throw new TypeError('a key ring holds at least one key');
    const short = keys.find((key) => key.length < MIN_KEY_BYTES);
    if (short)
      throw new TypeError(`a signing key has at least ${MIN_KEY_BYTES} bytes, this one has ${short.length}`);
    this.#keys = keys.map((key) => Buffer.from(key));
  }

  /** HMAC-SHA256 by the first key, in base64url. */
  sign(purpose: string, text: string): string {
    return mac(this.#keys[0] as Buffer, purpose, text).toString('base64url');
  }

  /** Which key signed: `first`, `older`, or `undefined` for none of them. */
  verify(purpose: string, text: string, signature: string): 'first' | 'older' | undefined {
    if (signature.length !== MAC_CHARACTERS) return undefined;
    const given = Buffer.from(signature, 'base64url');
    // The last character has two bits that decoding drops: written anew, one MAC has one spelling.
    if (given.toString('base64url') !== signature) return undefined;
    const at = this.#keys.findIndex((key) => timingSafeEqual(mac(key, purpose, text), given));
    if (at === -1) return undefined;
    return at === 0 ? 'first' : 'older';
  }
}

function mac(key: Buffer, purpose: string, text: string): Buffer {
  return createHmac('sha256', key).update(`${purpose}\0${text}`).digest();
}
