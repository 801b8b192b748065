/**
 * Owns the form of an address that something of ours connects to: https, or http on this machine, without a user, a query or a fragment.
 * Pure.
 */
import { isIPv4 } from 'node:net';

/** Undefined where the text is no such address. */
export function parseAddress(text: string): URL | undefined {
  if (!/^https?:\/\/[\x21-\x7e]{1,500}$/.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const { protocol, username, password, search, hash } = url;
  if (username + password + search + hash !== '') return undefined;
  return protocol === 'https:' || isLocal(url) ? url : undefined;
}

/** Only literal addresses, so that no hosts file can widen it. */
export function isLocal({ hostname }: URL): boolean {
  return hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'));
}
