/** This file owns the rules for a request that leaves: what a URL may be, and which addresses a host may stand for. */
import { isIP } from 'node:net';
import { DomainError } from '@sluice/runtime';
import { isInNetworks, isPublicAddress, type Network } from './address.ts';

export interface EgressAllowance {
  /** May be reached although they are not public, at any port. */
  networks: readonly Network[];
  /** Lower case; trusted by name, at any port and whatever address they have. */
  hosts: readonly string[];
  /** Ports of public hosts beside `DEFAULT_PORTS`. */
  ports: readonly number[];
}

/**
 * - `url_invalid` not http(s), with credentials, too long
 * - `port_refused` · `address_refused` not among those that may be reached
 */
export type EgressRefusal = 'url_invalid' | 'port_refused' | 'address_refused';

export const DEFAULT_PORTS: readonly number[] = [80, 443, 8080, 8443];
const MAX_URL_LENGTH = 8_192;

export class EgressPolicy {
  readonly #allowance: EgressAllowance;

  constructor(allowance: EgressAllowance) {
    this.#allowance = allowance;
  }

  /** What a URL says of itself, before anything is resolved. Throws `egress_refused`. */
  admit(text: string): URL {
    if (text.length > MAX_URL_LENGTH)
      throw refused('url_invalid', `the URL is longer than ${MAX_URL_LENGTH} characters`);
    if (!URL.canParse(text)) throw refused('url_invalid', 'the URL cannot be read');
    const url = new URL(text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw refused('url_invalid', `the URL begins with ${url.protocol}, not with http: or https:`);
    }
    if (url.username !== '' || url.password !== '') {
      throw refused('url_invalid', 'the URL holds a user name or password; send them in a header');
    }
    const host = plainHost(url.hostname);
    if (host === '') throw refused('url_invalid', 'the URL has no host');
    // A name is judged by its addresses, when there are any; an address can be judged at once.
    if (isIP(host) !== 0) this.judge({ host, port: portOf(url), addresses: [host] });
    return url;
  }

  /** Allowed by name. */
  trusts(host: string): boolean {
    return this.#allowance.hosts.includes(host);
  }

  /**
   * All addresses of a host, or the one a socket has reached. One that may not be reached, or not at this port, refuses
   * them all. Throws `egress_refused`.
   */
  judge({ host, port, addresses }: { host: string; port: number; addresses: readonly string[] }): void {
    if (this.trusts(host)) return;
    const { networks, ports } = this.#allowance;
    const others = addresses.filter((address) => !isInNetworks(address, networks));
    // Which address it was is nothing to the outside.
    if (addresses.length === 0 || !others.every(isPublicAddress)) {
      throw refused('address_refused', `${host} is, or stands for, an address that may not be reached`);
    }
    if (others.length > 0 && !DEFAULT_PORTS.includes(port) && !ports.includes(port)) {
      throw refused('port_refused', `port ${port} is not among those that may be reached`);
    }
  }
}

export function portOf(url: { port: string; protocol: string }): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80));
}

/** Without the brackets of IPv6 and without a trailing dot, in lower case. */
export function plainHost(hostname: string): string {
  return hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

function refused(reason: EgressRefusal, message: string): DomainError<'egress_refused'> {
  return new DomainError('egress_refused', message, { details: { reason } });
}
