/**
 * Owns models that are fetched from a hub: what a repository holds, with the hashes that the hub states, and the bytes of its files, gone on
 * with where a transfer was cut. All is asked for at one commit. Refuses whatever is not as long as it was said to be.
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { SiteError } from '../../privacy/errors.ts';
import { get, type HubAccess } from './client.ts';
import type { Digest, Source, SourceFile } from './source.ts';
import { Passing, type Patience, standardPatience, Tries } from './tries.ts';

export interface Repository {
  /** `ORG/NAME`. */
  readonly id: string;
  readonly name: string;
  /** Branch, tag or commit. */
  readonly revision: string;
}

export interface HubOptions extends Omit<HubAccess, 'idleMs'> {
  readonly idleMs?: number;
  readonly patience?: Patience;
}

/** Bytes of the list of a repository's files. */
const listLimit = 32 * 2 ** 20;
/** Bytes of progress after which a cut counts as the first one again. */
const progressSize = 2 ** 20;

const siblingSchema = z.object({
  rfilename: z.string().max(1000),
  size: z.int().min(0).optional(),
  blobId: z.string().optional(),
  lfs: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) }).nullish(),
});
const repositorySchema = z.object({ sha: z.string().regex(/^[0-9a-f]{40,64}$/), siblings: z.array(siblingSchema).max(100_000) });

/** `hf:ORG/NAME` or `hf:ORG/NAME@REVISION`. Throws SiteError. */
export function parseRepository(text: string): Repository {
  const [, owner, name, revision = 'main'] = /^hf:(\w[\w.-]{0,95})\/(\w[\w.-]{0,95})(?:@(\w[\w./-]{0,199}))?$/.exec(text) ?? [];
  if (owner === undefined || name === undefined) {
    throw new SiteError(`${JSON.stringify(text.slice(0, 80))} names no repository: expected hf:ORG/NAME or hf:ORG/NAME@REVISION; correct it.`);
  }
  return { id: `${owner}/${name}`, name, revision };
}

/** What the repository holds now. Throws SiteError. */
export async function openHubSource(repository: Repository, options: HubOptions): Promise<Source> {
  const { patience = standardPatience } = options;
  const access: HubAccess = { idleMs: 60_000, ...options };
  const label = `${repository.id} of ${access.base.host}`;
  const { sha, siblings } = await listRepository(repository, access, new Tries(patience, label), label);
  const commit = `${label} at ${sha.slice(0, 12)}`;
  const files = siblings.map(({ rfilename: path, ...facts }): SourceFile => ({ name: path, path, ...describe(facts) }));
  return {
    label: commit,
    name: repository.name,
    files,
    hasDigests: true,
    read: (file, from) =>
      readFile(file, from, `${repository.id}/resolve/${sha}/${file.path}`, { access, label: commit, tries: new Tries(patience, `${file.path} of ${commit}`) }),
  };
}

/** Large files are known by their SHA-256, others as git knows them. */
function describe({ size, blobId, lfs }: Omit<z.infer<typeof siblingSchema>, 'rfilename'>): { size: number; digest?: Digest } {
  if (lfs) return { size: lfs.size, digest: { algorithm: 'sha256', value: lfs.sha256 } };
  if (size === undefined || !/^[0-9a-f]{40}$/.test(blobId ?? '')) return { size: size ?? 0 };
  return { size, digest: { algorithm: 'git-blob', value: blobId ?? '' } };
}

async function listRepository({ id, revision }: Repository, access: HubAccess, tries: Tries, label: string): Promise<z.infer<typeof repositorySchema>> {
  const url = addressOf(access.base, `api/models/${id}/revision/${encodeURIComponent(revision)}`);
  url.searchParams.set('blobs', 'true');
  for (;;) {
    try {
      const answer = await demand(url, {}, access, `${label} at ${revision}`);
      const result = repositorySchema.safeParse(parse(await readBounded(answer, label)));
      if (result.success) return result.data;
      throw new SiteError(`${label} cannot be read: expected a commit and a list of files from the hub, found something else; check the address of the hub.`);
    } catch (error) {
      await tries.pause(error);
    }
  }
}

interface Reading {
  readonly access: HubAccess;
  readonly label: string;
  readonly tries: Tries;
}

async function* readFile(file: SourceFile, from: number, path: string, { access, label, tries }: Reading): AsyncIterable<Uint8Array> {
  const url = addressOf(access.base, path.split('/').map(encodeURIComponent).join('/'));
  let position = from;
  let resetAt = from + progressSize;
  while (position < file.size) {
    try {
      for await (const bytes of transfer(file, position, url, access, label)) {
        yield bytes;
        position += bytes.length;
        if (position < resetAt) continue;
        tries.reset();
        resetAt = position + progressSize;
      }
      if (position < file.size) throw new Passing('an end too early');
    } catch (error) {
      await tries.pause(error);
    }
  }
}

/** One answer of the hub, from this place on. */
async function* transfer(file: SourceFile, position: number, url: URL, access: HubAccess, label: string): AsyncIterable<Uint8Array> {
  const answer = await demand(url, position > 0 ? { range: `bytes=${position}-` } : {}, access, `${file.path} of ${label}`);
  let skipped = startOf(answer, file, position, label);
  for await (const bytes of answer as AsyncIterable<Buffer>) {
    const rest = bytes.subarray(Math.max(0, position - skipped));
    skipped = Math.min(position, skipped + bytes.length);
    if (rest.length > 0) yield rest;
  }
}

/** Where an answer begins: at the place that was asked for, or at the first byte where the hub gives no parts. Throws SiteError. */
function startOf(answer: IncomingMessage, file: SourceFile, position: number, label: string): number {
  const refuse = (found: string): SiteError => {
    answer.destroy();
    return new SiteError(`${file.path} of ${label} is not what the hub says: expected ${file.size} bytes, found ${found}; give the same command again.`);
  };
  const { 'content-encoding': encoding = 'identity', 'content-length': length, 'content-range': range = '' } = answer.headers;
  if (encoding !== 'identity') throw refuse('a compressed form');
  if (answer.statusCode === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(range) ?? [];
    if (Number(total) !== file.size) throw refuse(`${total ?? 'no'} bytes`);
    if (Number(first) !== position) throw refuse('another part of it');
    return position;
  }
  if (length !== undefined && Number(length) !== file.size) throw refuse(`${length} bytes`);
  return 0;
}

/** An answer with a body that can be used. Throws SiteError, Passing, and what the network throws. */
async function demand(url: URL, headers: Readonly<Record<string, string>>, access: HubAccess, what: string): Promise<IncomingMessage> {
  const answer = await get(url, headers, access);
  const status = answer.statusCode ?? 0;
  if (status === 200 || (status === 206 && headers['range'] !== undefined)) return answer;
  answer.destroy();
  if (status === 408 || status === 429 || status >= 500) throw new Passing(`status ${status}`, waitOf(answer));
  if (status === 401 || status === 403) {
    const remedy =
      access.token === undefined
        ? 'set hubTokenFile to a file with a token that may read it'
        : 'use a token that may read it, and accept the terms of the model on the hub';
    throw new SiteError(`${what} is not given: expected that the hub lets this be read, found status ${status}; ${remedy}.`);
  }
  if (status === 404)
    throw new SiteError(
      `${what} is not there: expected a repository and revision of this hub, found status 404; check their names (a private one needs a token).`,
    );
  throw new SiteError(`${what} cannot be fetched: expected the file, found status ${status}; check the address of the hub.`);
}

/** Seconds, or a date, as Retry-After has them; in ms. */
function waitOf({ headers }: IncomingMessage): number | undefined {
  const text = headers['retry-after'] ?? '';
  const wait = /^\d{1,6}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(wait) ? undefined : wait;
}

async function readBounded(answer: IncomingMessage, label: string): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  // Leaving the loop early destroys the connection.
  for await (const bytes of answer as AsyncIterable<Buffer>) {
    size += bytes.length;
    if (size > listLimit)
      throw new SiteError(`${label} cannot be read: expected a list of files of at most ${listLimit} bytes, found more; check the address of the hub.`);
    pieces.push(bytes);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Below the hub's own path, if it has one. */
function addressOf(base: URL, path: string): URL {
  return new URL(`${base.href.replace(/\/+$/, '')}/${path}`);
}
