/** This file owns the question whose address a request came from, and how addresses are grouped for a limit. */
import ipaddr from 'ipaddr.js';

/**
 * Which of the addresses a request names may be believed.
 * - a number: so many proxies of ours stand in front, each of which appends the address it was called from; 0: none
 * - CIDRs: proxies at these addresses are ours, wherever they stand
 */
export type TrustedProxies = number | readonly string[];

/** A network that a subscriber gets whole; its addresses are one client. */
const IPV6_PREFIX_BITS = 64;
/** More hops than any chain of proxies has; the rest of the header is not looked at. */
const MAX_HOPS = 32;

/** Answers the client's address; `socketAddress` is the peer of the connection, `forwardedFor` the X-Forwarded-For header. */
export type ClientAddress = (request: {
  socketAddress: string | undefined;
  forwardedFor: string | undefined;
}) => string;

/**
 * Makes the reader of client addresses. The header is read from its right end, where our proxies write: what a client
 * claims stands further left and counts for nothing. An entry that is no address ends the reading; the last good one is taken.
 * Throws `TypeError` for a negative number or a faulty CIDR.
 */
export function clientAddressBy(trusted: TrustedProxies): ClientAddress {
  const isTrusted = trustOf(trusted);
  return ({ socketAddress, forwardedFor }) => {
    let client = normalise(socketAddress ?? '');
    if (client === undefined) return 'unknown';
    if (forwardedFor === undefined) return client;
    const hops = forwardedFor
      .slice(-MAX_HOPS * 64)
      .split(',')
      .slice(-MAX_HOPS)
      .reverse();
    for (const [hop, text] of hops.entries()) {
      if (!isTrusted(client, hop)) return client;
      const next = normalise(text);
      if (next === undefined) return client;
      client = next;
    }
    return client;
  };
}

/** What a limit counts an address by: IPv4 whole, IPv6 by its /64, `unknown` as it is. */
export function addressKey(address: string): string {
  const normal = normalise(address);
  if (normal === undefined || !normal.includes(':')) return normal ?? address;
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${normal}/${IPV6_PREFIX_BITS}`);
  return `${network.toRFC5952String()}/${IPV6_PREFIX_BITS}`;
}

function trustOf(trusted: TrustedProxies): (address: string, hop: number) => boolean {
  if (typeof trusted === 'number') {
    if (!Number.isInteger(trusted) || trusted < 0)
      throw new TypeError(`${trusted} is not a number of proxies`);
    return (_address, hop) => hop < trusted;
  }
  const networks = trusted.map((cidr) => {
    if (!ipaddr.isValidCIDR(cidr)) throw new TypeError(`'${cidr}' is not a CIDR such as 10.0.0.0/8`);
    return ipaddr.parseCIDR(cidr);
  });
  return (text) => {
    const address = ipaddr.parse(text);
    return networks.some((network) => address.kind() === network[0].kind() && address.match(network));
  };
}

/**
 * The one spelling of an address: no port, no zone, IPv4 inside IPv6 as IPv4; `undefined` when it is none.
 * Only dotted quads are IPv4: 127.1 or 0x7f000001 are refused.
 */
function normalise(text: string): string | undefined {
  const bare = withoutPort(text.trim());
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare).toString();
  if (!bare.includes(':') || bare.length > 64) return undefined;
  const unzoned = bare.split('%', 1)[0] ?? '';
  if (!ipaddr.IPv6.isValid(unzoned)) return undefined;
  const address = ipaddr.IPv6.parse(unzoned);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

function withoutPort(text: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text);
  if (bracketed?.[1] !== undefined) return bracketed[1];
  const dotted = /^([\d.]+):\d{1,5}$/.exec(text);
  return dotted?.[1] ?? text;
}
