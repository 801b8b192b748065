/**
 * Owns the server's TLS while it runs: what a handshake needs, renewal without a restart, the end of the certificate.
 * Refuses a renewal that cannot be used, which leaves in use what is in use, and to wait for a handshake that does not go on.
 */
import type { Server, ServerOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Settings } from './config.ts';
import type { Log } from './log.ts';
import { FileError, stampFiles, standardInterval, watchFiles } from './privacy/watched.ts';
import { readIdentity, type TlsFiles } from './tls-identity.ts';

export interface Tls {
  /** For `https.createServer`. */
  readonly options: ServerOptions;
  /** Keeps the server of an application up to date, and from waiting for half handshakes when it closes. */
  guard(app: FastifyInstance, log: Log): void;
}

/** From so many days before the end of the certificate on, the log says each day how many are left. */
const warningDays = 30;
const dayMs = 86_400_000;
/** Longest time for a handshake, in ms. */
const handshakeMs = 10_000;

/** Undefined where the settings name no certificate. Throws FileError. `now`: ms of the epoch. */
export function openTls(settings: Settings, now: () => number = Date.now, intervalMs: number = standardInterval): Tls | undefined {
  const { tlsCert: cert, tlsKey: key, tlsClientCa: clientCa, tlsClients, tlsMinVersion: minVersion } = settings;
  if (cert === undefined || key === undefined) return undefined;
  const files: TlsFiles = { cert, key, clientCa, minVersion };
  const paths = [cert, key, ...(clientCa === undefined ? [] : [clientCa])];
  const stamp = stampFiles(paths);
  const identity = readIdentity(files, now());
  return {
    options: {
      ...identity.context,
      requestCert: clientCa !== undefined,
      rejectUnauthorized: tlsClients === 'required',
      handshakeTimeout: Math.min(handshakeMs, settings.requestTimeoutMs),
    },
    guard: (app, log) => {
      const server = app.server as unknown as Server;
      const warn = createWarning(log, now, identity.end);
      const watch = watchFiles(paths, stamp, () => warn(renew(server, files, now(), log)), intervalMs);
      const timer = setInterval(warn, dayMs / 24).unref();
      dropHalfHandshakes(app, server);
      app.addHook('onClose', () => {
        watch[Symbol.dispose]();
        clearInterval(timer);
      });
      warn();
    },
  };
}

/** Takes up what the files hold now; gives the end of the new certificate. */
function renew(server: Server, files: TlsFiles, now: number, log: Log): number | undefined {
  try {
    const { context, end } = readIdentity(files, now);
    server.setSecureContext(context);
    log({ event: 'tls_reloaded' });
    return end;
  } catch (error) {
    log({ event: 'tls_reload_failed', flaw: error instanceof FileError ? error.flaw : 'form' });
    return undefined;
  }
}

/** Says how many days are left, once a day, when they are few. */
function createWarning(log: Log, now: () => number, firstEnd: number): (newEnd?: number) => void {
  let end = firstEnd;
  let told: number | undefined;
  return (newEnd) => {
    if (newEnd !== undefined) [end, told] = [newEnd, undefined];
    const days = Math.max(0, Math.floor((end - now()) / dayMs));
    if (days < warningDays && days !== told) log({ event: 'tls_ends', days });
    told = days;
  };
}

/** A connection in the middle of its handshake is no HTTP connection yet: closing the server would wait for it, and an answer to it would wait for the handshake. */
function dropHalfHandshakes(app: FastifyInstance, server: Server): void {
  const sockets = new Set<Duplex>();
  let isClosing = false;
  // Before Node passes the error on as one of HTTP.
  server.prependListener('tlsClientError', (_error, socket) => socket.destroy());
  server.on('connection', (socket) => {
    if (isClosing) return void socket.destroy();
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  app.addHook('preClose', async () => {
    isClosing = true;
    for (const socket of sockets) socket.destroy();
  });
}
