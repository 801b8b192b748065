/**
 * Owns where a key may be used from: whether an address lies in one of its networks. Refuses what is no address, and to let a
 * network of IPv6 admit addresses of IPv4.
 */
import { BlockList, isIP } from 'node:net';

/** IPv4 as a socket that listens for both families tells it. */
const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** A question about addresses, made once for each key. `networks`: as `networkSchema` has them; empty admits every address. */
export function createNetworkCheck(networks: readonly string[]): (address: string) => boolean {
  if (networks.length === 0) return () => true;
  // One list for each family: node:net would take `::/0` for IPv4 as well.
  const lists = { 4: new BlockList(), 6: new BlockList() };
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 4 ? 4 : 6;
    lists[family].addSubnet(address, Number(prefix ?? (family === 4 ? 32 : 128)), `ipv${family}`);
  }
  return (address) => {
    const plain = address.replace(mapped, '$1');
    const family = isIP(plain);
    return (family === 4 || family === 6) && lists[family].check(plain, `ipv${family}`);
  };
}
