/**
 * Which addresses of the internet a stranger's URL may lead to: public ones, nothing of this machine or the networks it
 * is in. IANA's special-purpose registries (RFC 6890 and its updates) by ipaddr.js; only what these call unicast is public.
 */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

/** Ports of web servers; others belong to services that take a request for something else. */
const PORTS = ['', '80', '443', '8080', '8443'];

export function isWebPort(port: string): boolean {
  return PORTS.includes(port);
}

/** Global unicast of IPv6: all that IANA has given out (RFC 4291, section 2.4). */
const GLOBAL_IPV6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Services of clouds to their own machines, at addresses that look public. */
const OF_CLOUDS = ['168.63.129.16'];

/** Whether an IP address is public. Those that hold an IPv4 address (mapped, NAT64, 6to4, Teredo …) never are. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  if (parsed.kind() === 'ipv6' && !(parsed as ipaddr.IPv6).match(GLOBAL_IPV6)) return false;
  const same = (other: string) => isIP(other) !== 0 && ipaddr.parse(other).toString() === parsed.toString();
  return !OF_CLOUDS.some(same) && !ownAddresses().some(same);
}

/** This machine may have a public address, behind which services listen that are meant for itself. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
