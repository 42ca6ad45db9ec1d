/** This file owns passwords of accounts: what is stored in the place of one, and whether a given one is right. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

/** OWASP's Password Storage Cheat Sheet: N = 2^15, r = 8, p = 3, which takes 32 MiB and some 0.2 s of one core. */
const COST = { N: 32_768, r: 8, p: 3 } as const;
/** scrypt takes 128 * N * r bytes and a little more. */
const MAX_MEMORY_BYTES = 64 * 1_048_576;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const SEALED = /^scrypt\$(\d{1,8})\$(\d{1,2})\$(\d{1,2})\$([\w-]{22})\$([\w-]{43})$/;
/** In the place of an account that is not there: the work is the same. Nothing is known that it is the hash of. */
const NOBODY = `scrypt$${COST.N}$${COST.r}$${COST.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** At once, with 32 MiB each; the thread pool has four for all that this process reads and resolves. */
const MAX_AT_ONCE = 2;
/** Whoever comes after these is told to come again: strangers may not make us keep a long line. */
const MAX_WAITING = 20;

/** `scrypt$N$r$p$salt$hash`, salt and hash in base64url: what is stored. */
export async function sealPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, COST);
  const { N, r, p } = COST;
  return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** Checks passwords, a bounded number at a time. */
export class PasswordCheck {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /**
   * Whether this is the password behind `sealed`; `undefined`: of nobody, which takes as long and is always false.
   * `busy`: too many ask, and this one was not looked at.
   */
  async matches(password: string, sealed: string | undefined): Promise<boolean | 'busy'> {
    if (this.#running >= MAX_AT_ONCE) {
      if (this.#waiting.length >= MAX_WAITING) return 'busy';
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await isRight(password, sealed);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}

async function isRight(password: string, sealed: string | undefined): Promise<boolean> {
  const [, N, r, p, salt = '', hash = ''] = SEALED.exec(sealed ?? NOBODY) ?? SEALED.exec(NOBODY) ?? [];
  const expected = Buffer.from(hash, 'base64url');
  const found = await derive(password, Buffer.from(salt, 'base64url'), {
    N: Number(N),
    r: Number(r),
    p: Number(p),
  });
  return timingSafeEqual(found, expected) && sealed !== undefined;
}

/** The same letters may come in several spellings (NIST SP 800-63B §3.1.1.2). */
function derive(password: string, salt: Buffer, cost: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(
      password.normalize('NFKC'),
      salt,
      HASH_BYTES,
      { ...cost, maxmem: MAX_MEMORY_BYTES },
      (error, hash) => {
        if (error) reject(error);
        else resolve(hash);
      },
    );
  });
}
