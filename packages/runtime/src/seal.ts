/** This file owns secrets at rest: text that only holders of a key can read, and only in the place it was sealed for. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Told by the text itself, so that another cipher can come without a migration. */
const VERSION = 'v1.';

export interface Seal {
  /** Another text each time. */
  seal(text: string): string;
  /** Throws `TypeError`, without the text, when it was sealed with another key or for another place, or was changed. */
  open(sealed: string): string;
}

/**
 * AES-256-GCM (NIST SP 800-38D) with `key`, 32 bytes of `deriveSecret`.
 *
 * `place` says what the text belongs to (`service:orders:password`): sealed text moved to another record does not open.
 */
export function sealFor(key: Buffer, place: string): Seal {
  const associated = Buffer.from(place, 'utf8');
  return {
    seal(text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(associated);
      const secret = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return VERSION + Buffer.concat([nonce, cipher.getAuthTag(), secret]).toString('base64url');
    },
    open(sealed) {
      try {
        if (!sealed.startsWith(VERSION)) throw new TypeError('unknown version');
        const bytes = Buffer.from(sealed.slice(VERSION.length), 'base64url');
        const nonce = bytes.subarray(0, NONCE_BYTES);
        const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
        const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
          .setAAD(associated)
          .setAuthTag(tag);
        const secret = bytes.subarray(NONCE_BYTES + TAG_BYTES);
        return Buffer.concat([decipher.update(secret), decipher.final()]).toString('utf8');
      } catch (error) {
        throw new TypeError(
          `what is sealed for '${place}' does not open with this master secret; set it anew, or restore the secret`,
          { cause: error },
        );
      }
    },
  };
}
