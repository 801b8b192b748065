/**
 * Owns the forms of the setting `auditWitness`: `file:/path`, `command:/path` and the address of a witness of C2SP tlog-witness.
 * Refuses relative paths, plain HTTP to another machine, and an address with a user, a query or a fragment. Pure.
 */
import { isIPv4 } from 'node:net';

/** What a sentence expects. */
export const witnessForms = 'file:/path, command:/path, or the https address of a witness (http only on loopback)';

export type WitnessPlace =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly path: string }
  /** `destination`: host and port as a manifest names them. */
  | { readonly kind: 'http'; readonly url: URL; readonly destination: string };

/** Undefined where the text is none of the forms. */
export function parseWitness(text: string): WitnessPlace | undefined {
  const [, kind, path] = /^(file|command):(\/[^\0]{1,4000})$/.exec(text) ?? [];
  if (path !== undefined) return { kind: kind === 'file' ? 'file' : 'command', path };
  return parseAddress(text);
}

function parseAddress(text: string): WitnessPlace | undefined {
  if (!/^https?:\/\/[\x21-\x7e]{1,500}$/.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const { protocol, hostname, username, password, search, hash } = url;
  const isSecure = protocol === 'https:';
  if (username + password + search + hash !== '') return undefined;
  // Only literal addresses, so that no hosts file can widen it.
  const isLocal = hostname === '[::1]' || (isIPv4(hostname) && hostname.startsWith('127.'));
  if (!isSecure && !isLocal) return undefined;
  return { kind: 'http', url, destination: `${hostname}:${url.port || (isSecure ? 443 : 80)}` };
}
