/**
 * Owns the forms of the setting `auditWitness`: `file:/path`, `command:/path` and the address of a witness of C2SP tlog-witness.
 * Refuses relative paths, plain HTTP to another machine, and an address with a user, a query or a fragment. Pure.
 */
import { parseAddress } from '../../address.ts';

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
  const url = parseAddress(text);
  return url && { kind: 'http', url, destination: `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}` };
}
