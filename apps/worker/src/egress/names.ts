/** This file owns the resolving of host names: every address of a name, within a time. */
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { DomainError, within } from '@sluice/runtime';

export interface NamesOptions {
  /** DNS servers to ask instead of the system's, `address` or `address:port`. */
  servers?: readonly string[] | undefined;
  timeoutMs?: number | undefined;
}

const DEFAULT_DNS_TIMEOUT_MS = 2_000;
/** What DNS says when a name has no addresses of the asked kind. */
const NO_ADDRESS = new Set(['ENODATA', 'ENOTFOUND']);

export class Names {
  readonly #timeoutMs: number;
  readonly #resolver: Resolver;

  constructor(options: NamesOptions = {}) {
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_DNS_TIMEOUT_MS;
    this.#resolver = new Resolver({ timeout: Math.ceil(this.#timeoutMs / 2), tries: 2 });
    if (options.servers && options.servers.length > 0) this.#resolver.setServers(options.servers);
  }

  /**
   * All IPv4 and IPv6 addresses of `host` as DNS has them. A trusted name is asked of the operating system instead, so
   * that its hosts file and search domains count. Throws `egress_failed`.
   */
  async resolve(host: string, isTrustedName: boolean): Promise<string[]> {
    if (isIP(host) !== 0) return [host];
    try {
      return await within(isTrustedName ? this.#askSystem(host) : this.#askDns(host), this.#timeoutMs);
    } catch (cause) {
      throw new DomainError('egress_failed', `the name ${host} could not be resolved`, { cause });
    }
  }

  async #askSystem(host: string): Promise<string[]> {
    return (await lookup(host, { all: true, order: 'ipv4first' })).map(({ address }) => address);
  }

  /** Not the operating system's resolver: it occupies one of few threads for as long as a name server likes. */
  async #askDns(host: string): Promise<string[]> {
    const answers = await Promise.all([
      this.#resolver.resolve4(host).catch(noneOrThrow),
      this.#resolver.resolve6(host).catch(noneOrThrow),
    ]);
    const addresses = answers.flat();
    if (addresses.length === 0) throw new Error('no address');
    return addresses;
  }
}

function noneOrThrow(error: NodeJS.ErrnoException): string[] {
  if (NO_ADDRESS.has(error.code ?? '')) return [];
  throw error;
}
