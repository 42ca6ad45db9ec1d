/** This file owns which addresses are public, and which others a deployment allows beside them. */
import ipaddr from 'ipaddr.js';

export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Azure answers its metadata service and DNS at this address, which is public by its number only. */
const PUBLIC_BY_NUMBER_ONLY: readonly Network[] = [ipaddr.parseCIDR('168.63.129.16/32')];
/** All of IPv6 that is routed worldwide (RFC 4291 §2.4); the rest is reserved, whatever a table says. */
const GLOBAL_IPV6: Network = ipaddr.parseCIDR('2000::/3');

/**
 * True for an address of the open Internet. Loopback, private, link-local, shared (CGNAT), reserved, multicast and
 * every way to write an IPv4 address inside an IPv6 one (mapped, NAT64, 6to4, Teredo) are not. Text that is no address is not.
 */
export function isPublicAddress(text: string): boolean {
  const address = parseAddress(text);
  if (address?.range() !== 'unicast') return false;
  if (address.kind() === 'ipv6' && !isWithin(address, GLOBAL_IPV6)) return false;
  return !PUBLIC_BY_NUMBER_ONLY.some((network) => isWithin(address, network));
}

export function isInNetworks(text: string, networks: readonly Network[]): boolean {
  const address = parseAddress(text);
  return address !== undefined && networks.some((network) => isWithin(address, network));
}

/** `10.0.0.0/8`, `fd00::/8`, or one address; `undefined` when it is neither. */
export function parseNetwork(text: string): Network | undefined {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  const address =
    ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text) ? ipaddr.parse(text) : undefined;
  return address && [address, address.kind() === 'ipv4' ? 32 : 128];
}

/** Decimal IPv4, or IPv6; `::ffff:10.0.0.1` is told as the 10.0.0.1 it reaches. */
function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) return undefined;
  return ipaddr.process(text);
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Network): boolean {
  return address.kind() === network.kind() && address.match(network as ipaddr.IPv4 & ipaddr.IPv6, bits);
}
