/** Imports from a hub on this machine that does everything wrong that a hub can do; no other host is ever asked. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chooseFiles } from '../../../../server/cli/model/choose.ts';
import { localDisk } from '../../../../server/cli/model/disk.ts';
import { type HubOptions, openHubSource, parseRepository } from '../../../../server/cli/model/hub.ts';
import { importModel } from '../../../../server/cli/model/import.ts';
import type { Sums } from '../../../../server/privacy/deployment/sums.ts';
import { readFiles, sumsOf, tinyModel } from './help.ts';
import { commit, cutFile, gitBlob, sendFile, TestHub } from './hub-server.ts';

const shard = 'model-00001-of-00002.safetensors';
let shelf = '';
let hub: TestHub;
beforeEach(async () => {
  shelf = mkdtempSync(join(tmpdir(), 'inward-hub-'));
  hub = await TestHub.start({ ...tinyModel(), 'README.md': Buffer.from('about'), 'consolidated.safetensors': Buffer.alloc(9) });
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(shelf, { recursive: true });
});

async function fetchModel(options: Partial<HubOptions> = {}, pattern?: string, place = 'hf:acme/tiny'): Promise<Sums> {
  const source = await openHubSource(parseRepository(place), hub.options(options));
  return importModel({ source, choice: chooseFiles(source, pattern), shelf, name: 'tiny', disk: localDisk });
}
function expectWhole(files: Record<string, Buffer> = tinyModel()): void {
  expect(readFiles(join(shelf, 'tiny'))).toEqual({ ...files, SHA256SUMS: Buffer.from(sumsOf(files)) });
  expect(readdirSync(shelf)).toEqual(['tiny']);
}
const draft = (name: string): string => join(shelf, '.tiny.part', name);
const bytesOf = (name: string): Buffer => tinyModel()[name] ?? Buffer.alloc(0);
/** Takes over the answers for one file. */
const forShard =
  (act: (...args: Parameters<TestHub['fault']>) => boolean): TestHub['fault'] =>
  (...args) =>
    args[2] === shard && act(...args);

test('a blob by hand: git hash-object of hello world', () => {
  // echo 'hello world' | git hash-object --stdin
  expect(gitBlob(Buffer.from('hello world\n'))).toBe('3b18e512dba79e4c8300dd08aeb37f8e728b8dad');
});

test('only what is needed, all at one commit, checked by hashes of both kinds', async () => {
  await fetchModel();
  expectWhole();
  expect(hub.asked[0]?.path).toBe('/mirror/api/models/acme/tiny/revision/main');
  expect(
    hub.asked
      .slice(1)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(
    Object.keys(tinyModel())
      .map((name) => `/mirror/acme/tiny/resolve/${commit}/${name}`)
      .sort(),
  );
  expect(hub.pauses).toEqual([]);
});

test('a revision; what is no repository', async () => {
  await fetchModel({}, undefined, 'hf:acme/tiny@v1');
  expectWhole();
  await expect(fetchModel({}, undefined, 'hf:acme/tiny@v2')).rejects.toThrow('acme/tiny of 127.0.0.1');
  for (const text of ['hf:', 'hf:tiny', 'hf:acme/', 'hf:../tiny', 'hf:acme/..', 'hf:acme/tiny@', 'hf:acme/tiny@../x', 'hf:acme/tiny/x', 'hf:acme/ti ny'])
    expect(() => parseRepository(text), text).toThrow('names no repository');
  expect(parseRepository('hf:acme/tiny@refs/pr/1')).toEqual({ id: 'acme/tiny', name: 'tiny', revision: 'refs/pr/1' });
});

test('cut anywhere, a transfer goes on from there, and the bytes are the same', async () => {
  const size = bytesOf(shard).length;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: size - 1 }), { maxLength: 3 }), fc.boolean(), async (cuts, ignoresRange) => {
      const left = [...cuts];
      hub.asked.length = 0;
      hub.fault = forShard((request, response) => {
        const count = left.shift();
        const range = ignoresRange ? undefined : request.headers.range;
        if (count === undefined) sendFile(response, bytesOf(shard), range);
        else cutFile(response, bytesOf(shard), range, count);
        return true;
      });
      await fetchModel();
      expectWhole();
      if (!ignoresRange) {
        const starts = [
          0,
          ...cuts.map((_, i) =>
            Math.min(
              size,
              cuts.slice(0, i + 1).reduce((sum, count) => sum + count),
            ),
          ),
        ];
        // A cut behind the last byte leaves nothing to ask for.
        const expected = starts.slice(0, starts.indexOf(size) < 0 ? undefined : starts.indexOf(size));
        expect(hub.rangesOf(shard)).toEqual(expected.map((start) => (start === 0 ? undefined : `bytes=${start}-`)));
      }
      rmSync(join(shelf, 'tiny'), { recursive: true });
    }),
    { numRuns: 12 },
  );
});

test('tries are bounded, pauses grow, and the next command goes on where the last one stopped', async () => {
  const half = Math.floor(bytesOf(shard).length / 2);
  hub.fault = forShard((request, response) => {
    if (request.headers.range === undefined) cutFile(response, bytesOf(shard), undefined, half);
    else response.writeHead(503).end();
    return true;
  });
  await expect(fetchModel()).rejects.toThrow(
    /^model-00001-of-00002\.safetensors of .* cannot be fetched: expected an answer, found status 503, 4 times in a row;/,
  );
  expect(hub.pauses).toEqual([100, 200, 400]);
  expect(statSync(draft(shard)).size).toBe(half);
  hub.fault = () => false;
  hub.asked.length = 0;
  await fetchModel();
  expectWhole();
  expect(hub.rangesOf(shard)).toEqual([`bytes=${half}-`]);
});

test('a file that changed between two commands is not glued to what was there', async () => {
  const half = Math.floor(bytesOf(shard).length / 2);
  hub.fault = forShard((request, response) => {
    if (request.headers.range === undefined) cutFile(response, bytesOf(shard), undefined, half);
    else response.writeHead(500).end();
    return true;
  });
  await expect(fetchModel()).rejects.toThrow('status 500');
  hub.fault = () => false;
  const other = tinyModel(7);
  hub.files = other;
  await fetchModel();
  expectWhole(other);
});

test('a file that changes within a transfer is refused and not kept', async () => {
  const other = tinyModel(7)[shard] ?? Buffer.alloc(0);
  expect(other.length).toBe(bytesOf(shard).length);
  hub.fault = forShard((request, response) => {
    if (request.headers.range === undefined) cutFile(response, bytesOf(shard), undefined, 1000);
    else sendFile(response, other, request.headers.range);
    return true;
  });
  await expect(fetchModel()).rejects.toThrow('is not what it should be: expected the hash');
  expect(statSync(draft(shard)).size).toBe(0);
  expect(readdirSync(shelf)).toEqual(['.tiny.part']);
});

describe('what the hub says and what it sends', () => {
  const head = (response: Parameters<TestHub['fault']>[1], status: number, headers: Record<string, string | number>, bytes: Uint8Array): true => {
    response.writeHead(status, headers).end(bytes);
    return true;
  };
  const bytes = bytesOf(shard);
  const half = 1000;
  /** Cuts the first answer, and answers the second like this. */
  const second = (status: number, headers: Record<string, string | number>, body: Uint8Array): TestHub['fault'] =>
    forShard((request, response) => {
      if (request.headers.range !== undefined) return head(response, status, headers, body);
      cutFile(response, bytes, undefined, half);
      return true;
    });

  test.each<readonly [string, TestHub['fault'], string]>([
    ['shorter', forShard((_, response) => head(response, 200, { 'content-length': 10 }, bytes.subarray(0, 10))), 'bytes, found 10 bytes'],
    [
      'longer',
      forShard((_, response) => head(response, 200, { 'content-length': bytes.length + 1 }, Buffer.concat([bytes, Buffer.alloc(1)]))),
      `found ${bytes.length + 1} bytes`,
    ],
    [
      'longer, without saying it',
      forShard((_, response) => head(response, 200, { connection: 'close' }, Buffer.concat([bytes, Buffer.alloc(1)]))),
      'found more',
    ],
    ['shorter, without saying it', forShard((_, response) => head(response, 200, { connection: 'close' }, bytes.subarray(0, 10))), 'found'],
    ['compressed', forShard((_, response) => head(response, 200, { 'content-encoding': 'gzip' }, bytes)), 'found a compressed form'],
    ['a part that nobody asked for', forShard((_, response) => head(response, 206, {}, bytes)), 'found status 206'],
    ['another part', second(206, { 'content-range': `bytes 5-${bytes.length - 1}/${bytes.length}` }, bytes.subarray(5)), 'found another part of it'],
    [
      'a part of another file',
      second(206, { 'content-range': `bytes ${half}-${bytes.length}/${bytes.length + 1}` }, bytes.subarray(half)),
      `found ${bytes.length + 1} bytes`,
    ],
    ['a part without its place', second(206, {}, bytes.subarray(half)), 'found no bytes'],
    ['a range that is not there', second(416, {}, Buffer.alloc(0)), 'found status 416'],
    ['other bytes', forShard((_, response) => head(response, 200, {}, Buffer.alloc(bytes.length))), 'expected the hash'],
  ])('%s is refused', async (_, fault, sentence) => {
    hub.fault = fault;
    await expect(fetchModel()).rejects.toThrow(sentence);
    expect(readdirSync(shelf)).toEqual(['.tiny.part']);
  });

  test('a small file by the hash of git', async () => {
    hub.facts = { 'tokenizer.json': { blobId: gitBlob(Buffer.from('other')) } };
    await expect(fetchModel()).rejects.toThrow('tokenizer.json of');
    hub.facts = { 'tokenizer.json': { blobId: undefined } };
    await expect(fetchModel()).rejects.toThrow('does not say what tokenizer.json must be');
    hub.facts = { 'tokenizer.json': { size: undefined } };
    await expect(fetchModel()).rejects.toThrow('does not say what tokenizer.json must be');
  });
});

test.each([
  ['not JSON', '<html>'],
  ['another shape', '{"siblings":[]}'],
  ['a hash that is none', JSON.stringify({ sha: commit, siblings: [{ rfilename: 'a', lfs: { sha256: 'x', size: 1 } }] })],
  ['a size that is none', JSON.stringify({ sha: commit, siblings: [{ rfilename: 'a', size: -1 }] })],
  ['a commit that leads elsewhere', JSON.stringify({ sha: '../..', siblings: [] })],
])('a list that is %s', async (_, text) => {
  hub.fault = (_request, response, path) => path === undefined && Boolean(response.end(text));
  await expect(fetchModel()).rejects.toThrow('expected a commit and a list of files from the hub, found something else');
});

test('a list without end', async () => {
  hub.fault = (_, response) => {
    const more = (): void => void (response.destroyed || response.write(Buffer.alloc(2 ** 20, ' '), () => setImmediate(more)));
    more();
    return true;
  };
  await expect(fetchModel()).rejects.toThrow('expected a list of files of at most 33554432 bytes, found more');
});

test.each([
  [401, 'set hubTokenFile to a file with a token'],
  [403, 'set hubTokenFile to a file with a token'],
  [404, 'check their names'],
  [400, 'found status 400'],
])('status %i is told at once', async (status, sentence) => {
  hub.fault = (_, response) => Boolean(response.writeHead(status).end('secret words of the hub'));
  const error: unknown = await fetchModel().catch((reason: unknown) => reason);
  expect(String(error)).toContain(sentence);
  expect(String(error)).not.toContain('secret words');
  expect([hub.asked.length, hub.pauses]).toEqual([1, []]);
});

test('a hub that is busy is asked again when it says, within a limit', async () => {
  const answers = [{ 'retry-after': '2' }, { 'retry-after': '3600' }, { 'retry-after': new Date(Date.now() - 5000).toUTCString() }];
  hub.fault = (_, response) => {
    const headers = answers.shift();
    return headers !== undefined && Boolean(response.writeHead(429, headers).end());
  };
  await fetchModel();
  expectWhole();
  expect(hub.pauses).toEqual([2000, 5000, 400]);
});

test('a hub that says nothing more', async () => {
  hub.fault = forShard((_, response) => {
    response.writeHead(200, { 'content-length': bytesOf(shard).length });
    return response.write(bytesOf(shard).subarray(0, 100)) || true;
  });
  await expect(fetchModel({ idleMs: 50 })).rejects.toThrow('4 times in a row');
  expect(hub.rangesOf(shard)).toHaveLength(4);
});

test('a hub that is not there', async () => {
  const options = hub.options();
  await hub[Symbol.asyncDispose]();
  await expect(openHubSource(parseRepository('hf:acme/tiny'), options)).rejects.toThrow('found ECONNREFUSED, 4 times in a row');
  hub = await TestHub.start({});
});

describe('redirects', () => {
  const redirect =
    (location: string): TestHub['fault'] =>
    (_, response, path) =>
      path !== undefined && Boolean(response.writeHead(302, { location }).end());

  test('are followed to another host, which never gets the token', async () => {
    await using store = await TestHub.start(hub.files);
    hub.fault = (_, response, path) =>
      path === shard && Boolean(response.writeHead(307, { location: `${store.address}/acme/tiny/resolve/${commit}/${shard}?signature=1` }).end());
    await fetchModel({ token: 'tok-123' });
    expectWhole();
    expect(new Set(hub.asked.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer tok-123']));
    expect(store.asked.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test('within the hub keep the token', async () => {
    hub.fault = (request, response, path) =>
      path === shard && request.url?.includes('?') === false && Boolean(response.writeHead(302, { location: `${request.url}?x` }).end());
    await fetchModel({ token: 'tok-123' });
    expectWhole();
    expect(hub.asked.every(({ authorization }) => authorization === 'Bearer tok-123')).toBe(true);
  });

  test.each([
    ['http://192.0.2.1/x', 'found http://192.0.2.1'],
    ['file:///etc/passwd', 'found file://'],
    ['ftp://127.0.0.1/x', 'found ftp://127.0.0.1'],
    ['http://user:pass@127.0.0.1/x', 'found http://127.0.0.1'],
    ['http://[', 'found no address'],
  ])('to %s are not', async (location, sentence) => {
    hub.fault = redirect(location);
    await expect(fetchModel({ token: 'tok-123' })).rejects.toThrow(sentence);
    expect(hub.pauses).toEqual([]);
  });

  test('in a circle end', async () => {
    hub.fault = (request, response, path) => path !== undefined && Boolean(response.writeHead(302, { location: request.url }).end());
    await expect(fetchModel()).rejects.toThrow('expected at most 5 redirects, found more');
  });
});

test('an unknown family is refused before weights are asked for', async () => {
  hub.files = { ...tinyModel(), 'config.json': Buffer.from('{"model_type":"fly"}') };
  await expect(fetchModel()).rejects.toThrow('model_type');
  expect(hub.rangesOf(shard)).toEqual([]);
});

test('names that lead elsewhere are not asked for', async () => {
  hub.files = { '../evil.gguf': Buffer.alloc(4), '/etc/evil.gguf': Buffer.alloc(4), '.evil.gguf': Buffer.alloc(4) };
  await expect(fetchModel()).rejects.toThrow('has no model');
  expect(hub.asked).toHaveLength(1);
});

test('a repository of quantizations: which is meant must be said', async () => {
  const gguf = readFixture();
  hub.files = { 'm-Q4_0.gguf': gguf, 'm-Q8_0.gguf': Buffer.alloc(10), 'README.md': Buffer.from('about') };
  await expect(fetchModel()).rejects.toThrow('found m-Q4_0.gguf, m-Q8_0.gguf; say which with --file, as --file "m-Q4_0.gguf".');
  await fetchModel({}, '*Q4*');
  expectWhole({ 'm-Q4_0.gguf': gguf });
});

test('what was received whole and cannot be served does not become a model', async () => {
  hub.files = { 'm.gguf': Buffer.from('GGUF and nothing else') };
  await expect(fetchModel()).rejects.toThrow('GGUF file is not usable');
  expect(readdirSync(shelf)).toEqual(['.tiny.part']);
});

/** A real GGUF file of a tiny model. */
function readFixture(): Buffer {
  const folder = join(import.meta.dirname, '../../../fixtures/oracles/gguf_llama_q4_0');
  return readFiles(folder)['model.gguf'] ?? Buffer.alloc(0);
}
