/**
 * Owns the one outgoing connection of this program that is no witness: a GET for an import, its redirects followed by hand. The token goes
 * to the hub's own origin only. Refuses plain http off this machine, and a hub elsewhere that sends back to this machine.
 */
import http from 'node:http';
import https from 'node:https';
import { isLocal } from '../../privacy/address.ts';
import { SiteError } from '../../privacy/errors.ts';

export interface HubAccess {
  readonly base: URL;
  readonly token?: string | undefined;
  /** Longest time without a byte, in ms. */
  readonly idleMs: number;
}

const redirects: readonly (number | undefined)[] = [301, 302, 303, 307, 308];
const redirectLimit = 5;

/** The answer, whatever its status, with its body still to be read. Throws SiteError, and what the network throws. */
export async function get(start: URL, headers: Readonly<Record<string, string>>, access: HubAccess): Promise<http.IncomingMessage> {
  let url = start;
  for (let count = 0; count <= redirectLimit; count++) {
    const answer = await ask(url, headers, access);
    if (!redirects.includes(answer.statusCode)) return answer;
    answer.destroy();
    url = follow(url, answer.headers.location, access.base);
  }
  throw new SiteError(
    `The hub ${access.base.host} sends from one address to the next: expected at most ${redirectLimit} redirects, found more; check its address.`,
  );
}

/** Where a redirect leads. Throws SiteError. */
export function follow(from: URL, location: string | undefined, base: URL): URL {
  if (location === undefined || !URL.canParse(location, from.href)) throw refuse(base, 'no address');
  const url = new URL(location, from);
  // Who may not be asked from outside must not be asked by a hub that is outside.
  const isGuarded = url.protocol === 'https:' || (isLocal(url) && url.protocol === 'http:');
  if (!isGuarded || (leadsHere(url) && !isLocal(base)) || url.username + url.password !== '') throw refuse(base, `${url.protocol}//${url.host}`);
  return url;
}

/** Also by a name, by no address at all, or by an IPv4 address within IPv6. Not asked of a resolver: certificates hold against what it says. */
function leadsHere(url: URL): boolean {
  return isLocal(url) || /(?:^|\.)localhost\.?$|^0\.[\d.]+$|^\[::\]$|^\[::ffff:(?:7f[\da-f]{2}|[\da-f]{1,2}):/.test(url.hostname);
}

function refuse({ host }: URL, found: string): SiteError {
  return new SiteError(
    `The hub ${host} sends to an address that is not asked: expected one with https on the network, found ${found}; check the address of the hub.`,
  );
}

function ask(url: URL, headers: Readonly<Record<string, string>>, { base, token, idleMs }: HubAccess): Promise<http.IncomingMessage> {
  const { request } = url.protocol === 'https:' ? https : http;
  const authorization = token !== undefined && url.origin === base.origin ? { authorization: `Bearer ${token}` } : {};
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      rejectUnauthorized: true,
      headers: { 'user-agent': 'inward', 'accept-encoding': 'identity', ...headers, ...authorization },
      timeout: idleMs,
    });
    asked.on('timeout', () => asked.destroy(Object.assign(new Error('no byte in time'), { code: 'ETIMEDOUT' })));
    asked.on('response', resolve).on('error', reject).end();
  });
}
