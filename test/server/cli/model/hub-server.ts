/**
 * Owns a small model hub on this machine: the list of a repository's files with sizes and hashes, and the files, whole or from a place on.
 * Tests set what goes wrong. Hashes are made with git's own words for blobs.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HubOptions } from '../../../../server/cli/model/hub.ts';
import type { Patience } from '../../../../server/cli/model/tries.ts';
import { sha256 } from './help.ts';

export const commit = '0123456789abcdef0123456789abcdef01234567';

/** `printf 'blob 3\0abc' | sha1sum` is what `git hash-object` gives for abc. */
export const gitBlob = (bytes: Uint8Array): string => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/** What a test does in place of the hub; true: it has answered. `path`: of a file of the repository, undefined for the list. */
export type Fault = (request: IncomingMessage, response: ServerResponse, path: string | undefined) => boolean;

export interface Asked {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export class TestHub implements AsyncDisposable {
  files: Readonly<Record<string, Uint8Array>>;
  fault: Fault = () => false;
  /** Facts of the list that a test changes. */
  facts: Readonly<Record<string, object>> = {};
  readonly asked: Asked[] = [];
  readonly #server: Server;

  private constructor(files: Readonly<Record<string, Uint8Array>>) {
    this.files = files;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(files: Readonly<Record<string, Uint8Array>>): Promise<TestHub> {
    const hub = new TestHub(files);
    await new Promise<void>((resolve) => hub.#server.listen(0, '127.0.0.1', resolve));
    return hub;
  }

  /** With a path of its own, as mirrors have it. */
  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mirror`;
  }

  /** Pauses that were asked for, in ms; none is waited for. */
  readonly pauses: number[] = [];

  options(changes: Partial<HubOptions> = {}): HubOptions {
    const patience: Patience = { tries: 4, pauseMs: 100, longestMs: 5000, sleep: async (ms) => this.pauses.push(ms) };
    return { base: new URL(this.address), patience, ...changes };
  }

  /** Ranges that were asked of one file. */
  rangesOf(name: string): (string | undefined)[] {
    return this.asked.filter(({ path }) => path.endsWith(`/${name}`)).map(({ range }) => range);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { range, authorization } = request.headers;
    const url = new URL(request.url ?? '', 'http://hub');
    this.asked.push({ path: url.pathname, range, authorization });
    const [, path] = new RegExp(`^/mirror/acme/tiny/resolve/${commit}/(.+)$`).exec(decodeURIComponent(url.pathname)) ?? [];
    if (this.fault(request, response, path)) return;
    if (/^\/mirror\/api\/models\/acme\/tiny\/revision\/(main|v1)$/.test(url.pathname) && url.search === '?blobs=true') return void response.end(this.list());
    const bytes = this.files[path ?? ''];
    if (bytes === undefined) return void response.writeHead(404).end('no such file');
    sendFile(response, bytes, range);
  }

  /** As the hub of the format lists: files that are large by SHA-256, others by git's hash. */
  list(): string {
    const siblings = Object.entries(this.files).map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      blobId: /safetensors$|gguf$/.test(rfilename) ? 'f'.repeat(40) : gitBlob(bytes),
      ...(/safetensors$|gguf$/.test(rfilename) && { lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 } }),
      ...this.facts[rfilename],
    }));
    return JSON.stringify({ id: 'acme/tiny', sha: commit, private: false, siblings });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function sendFile(response: ServerResponse, bytes: Uint8Array, range: string | undefined): void {
  const [, from] = /^bytes=(\d+)-$/.exec(range ?? '') ?? [];
  if (from === undefined) return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  const rest = bytes.subarray(Number(from));
  const head = { 'content-length': rest.length, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
  response.writeHead(206, head).end(rest);
}

/** An answer that says its whole length and is cut after so many bytes. */
export function cutFile(response: ServerResponse, bytes: Uint8Array, range: string | undefined, count: number): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
  const head = { 'content-length': bytes.length - from, ...(range !== undefined && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }) };
  response.writeHead(range === undefined ? 200 : 206, head);
  response.write(bytes.subarray(from, from + count), () => response.destroy());
}
