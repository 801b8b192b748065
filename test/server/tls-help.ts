/**
 * Owns what the tests of TLS share: copies of the test certificates (test/fixtures/tls; git keeps no mode 0600, and tests replace them), an app behind
 * TLS, and its clients.
 */

import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../../server/app.ts';
import { parseSettings, type SettingsInput } from '../../server/config.ts';
import type { LogRecord } from '../../server/log.ts';
import { readPeer } from '../../server/privacy/peer.ts';
import { openTls } from '../../server/tls.ts';
import { FakeEngine, type FakeEngineOptions } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';
import { openTo } from './doorkeeper.ts';

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'tls');

export type CertificateName = 'server' | 'server-next' | 'client' | 'client-branch' | 'client-foreign' | 'client-expired';

/** A certificate with its key, as text. */
export function readPair(name: CertificateName): { readonly cert: string; readonly key: string } {
  return { cert: readFixture(`${name}.crt`), key: readFixture(`${name}.test-only.key`) };
}

export const readFixture = (file: string): string => readFileSync(join(fixtures, file), 'utf8');

export interface TlsFolder extends Disposable {
  readonly folder: string;
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
  /** Puts another pair in place. */
  install(name: CertificateName): void;
}

/** A folder with a server certificate that can be used. */
export function createTlsFolder(): TlsFolder {
  const folder = mkdtempSync(join(tmpdir(), 'inward-tls-'));
  const [cert, key, clientCa] = [join(folder, 'server.crt'), join(folder, 'server.key'), join(folder, 'clients.crt')];
  const copy = (from: string, to: string, mode: number): void => {
    copyFileSync(join(fixtures, from), to);
    chmodSync(to, mode);
  };
  const install = (name: CertificateName): void => {
    copy(`${name}.crt`, cert, 0o644);
    copy(`${name}.test-only.key`, key, 0o600);
  };
  install('server');
  copy('authority.crt', clientCa, 0o644);
  return { folder, cert, key, clientCa, install, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

export const ca: string = readFixture('authority.crt');

export interface Secured extends AsyncDisposable {
  readonly app: FastifyInstance;
  readonly engine: FakeEngine;
  readonly files: TlsFolder;
  readonly records: LogRecord[];
  readonly port: number;
  readonly url: string;
}

export interface SecuredOptions {
  readonly settings?: (files: TlsFolder) => SettingsInput;
  readonly engine?: Partial<FakeEngineOptions>;
  readonly now?: () => number;
}

/** An app behind TLS on a free port; `/peer` answers with what is known of the client. */
export async function secure({ settings = () => ({}), engine: engineOptions, now }: SecuredOptions = {}): Promise<Secured> {
  const files = createTlsFolder();
  const engine = new FakeEngine({ script: say('Hello, world.'), ...engineOptions });
  const records: LogRecord[] = [];
  const parsed = parseSettings({ tlsCert: files.cert, tlsKey: files.key, ...settings(files) });
  const app = buildApp({ ...openTo({ engine, text: new FakeText() }), settings: parsed, log: (record) => records.push(record), tls: openTls(parsed, now, 10) });
  // No route: an app refuses those without a rule of access.
  app.addHook('onRequest', async (request, reply) => (request.url === '/peer' ? reply.send(readPeer(request.raw.socket)) : undefined));
  const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' });
  const close = async (): Promise<void> => {
    await app.close();
    files[Symbol.dispose]();
  };
  return { app, engine, files, records, url, port: Number(new URL(url).port), [Symbol.asyncDispose]: close };
}

export const events = ({ records }: Secured, event: LogRecord['event']): LogRecord[] => records.filter((record) => record.event === event);

export interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  readonly protocol: string | null;
  readonly commonName: string;
}

const nameOf = (socket: TLSSocket): string => String(socket.getPeerCertificate().subject.CN);

export function ask(port: number, path: string, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, ca, agent: false, ...options }, async (response) => {
      const socket = response.socket as TLSSocket;
      const [protocol, commonName] = [socket.getProtocol(), nameOf(socket)];
      resolve({ status: response.statusCode, body: await readText(response), protocol, commonName });
    })
      .on('error', reject)
      .end();
  });
}

export async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** What openssl says of a certificate, in our spelling. */
export function fingerprintOf(name: CertificateName): string | undefined {
  const [line] = readFixture('fingerprints.txt').match(new RegExp(`^${name} .*$`, 'm')) ?? [];
  return line?.replace(/^.*=/, '').replaceAll(':', '').toLowerCase();
}

/** Opens TLS as a start does, without a server. */
export function openAt(files: TlsFolder, input: SettingsInput = {}, now: () => number = Date.now): () => unknown {
  return () => openTls(parseSettings({ tlsCert: files.cert, tlsKey: files.key, ...input }), now);
}
