/**
 * Owns who is at the other end of a connection, as far as the connection itself proves it: network address and client
 * certificate. Refuses a certificate that was not verified, or whose time is over since.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export interface Peer {
  /** IPv4 or IPv6 as text, an IPv4 address never in the form of an IPv6 one; empty when the connection is gone. */
  readonly address: string;
  /** SHA-256 of the verified client certificate's DER form, in hexadecimal. */
  readonly fingerprint?: string;
}

interface Certificate {
  readonly fingerprint: string;
  /** Milliseconds of the epoch. */
  readonly end: number;
}

/** A connection has one certificate as long as it lasts: nothing is resumed or negotiated anew (server/tls.ts). */
const known = new WeakMap<TLSSocket, Certificate | undefined>();

/** The peer of a connection whose handshake is over. `now`: ms of the epoch. */
export function readPeer(socket: Socket, now: number = Date.now()): Peer {
  const address = normalizeAddress(socket.remoteAddress ?? '');
  if (!(socket instanceof TLSSocket)) return { address };
  if (!known.has(socket)) known.set(socket, readCertificate(socket));
  const certificate = known.get(socket);
  // A connection may outlast the certificate that it began with.
  return certificate === undefined || now > certificate.end ? { address } : { address, fingerprint: certificate.fingerprint };
}

function readCertificate(socket: TLSSocket): Certificate | undefined {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (certificate === undefined) return undefined;
  return { fingerprint: createHash('sha256').update(certificate.raw).digest('hex'), end: certificate.validToDate.getTime() };
}

/** `::ffff:10.0.0.1` -> `10.0.0.1`; the zone of a link-local address (`fe80::1%eth0`) is dropped. */
export function normalizeAddress(address: string): string {
  const [plain = ''] = address.toLowerCase().split('%');
  return plain.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '');
}
