/**
 * Owns the offline check of an audit log, and of proofs from it, by docs/audit.md ("The format") alone: one file without a
 * dependency, for Node 24 (`node verify.mjs --help`) and for a page of a browser. Damage is never an exception: it is a flaw
 * that names file, offset and record, and the check goes on behind it. Reads neither private keys nor anything outside of the folder.
 */

// SHA-256 (FIPS 180-4), because that of browsers is asynchronous and far too slow for millions of small records.

const rounds = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74,
  0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d,
  0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
  0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
  0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const initial = new Int32Array([0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]);
const state = new Int32Array(8);
const schedule = new Int32Array(64);
const rest = new Uint8Array(128);
/** 0x01 || left || right, with the padding of its two blocks. */
const pair = new Uint8Array(128);
pair[0] = 1;
pair[65] = 0x80;
pair[126] = (65 * 8) >> 8;
pair[127] = (65 * 8) & 0xff;

/** Node's own, four times as fast; in a browser there is none that is synchronous. */
const native = globalThis.process?.getBuiltinModule?.('node:crypto')?.hash;

/** SHA-256 of bytes[start, end). */
function hash(bytes, start = 0, end = bytes.length) {
  return native === undefined ? hashHere(bytes, start, end) : native('sha256', bytes.subarray(start, end), 'buffer');
}

/** The same by this file alone. */
export function hashHere(bytes, start = 0, end = bytes.length) {
  state.set(initial);
  let at = start;
  for (; at + 64 <= end; at += 64) compress(bytes, at);
  const left = end - at;
  const size = left < 56 ? 64 : 128;
  rest.fill(0, 0, size);
  for (let i = 0; i < left; i++) rest[i] = bytes[at + i];
  rest[left] = 0x80;
  const length = end - start;
  for (let i = 0, bits = length * 8; i < 7; i++, bits = Math.floor(bits / 256)) rest[size - 1 - i] = bits % 256;
  compress(rest, 0);
  if (size === 128) compress(rest, 64);
  return digest();
}

/** The hash of an inner node. */
function hashPair(left, right) {
  pair.set(left, 1);
  pair.set(right, 33);
  if (native !== undefined) return native('sha256', pair.subarray(0, 65), 'buffer');
  state.set(initial);
  compress(pair, 0);
  compress(pair, 64);
  return digest();
}

function digest() {
  const out = new Uint8Array(32);
  for (let i = 0; i < 8; i++) {
    const word = state[i];
    out[4 * i] = word >>> 24;
    out[4 * i + 1] = word >>> 16;
    out[4 * i + 2] = word >>> 8;
    out[4 * i + 3] = word;
  }
  return out;
}

function compress(bytes, at) {
  const w = schedule;
  for (let i = 0, p = at; i < 16; i++, p += 4) w[i] = (bytes[p] << 24) | (bytes[p + 1] << 16) | (bytes[p + 2] << 8) | bytes[p + 3];
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  // One by one: a list on the right is made in memory, which takes twice as long as the rounds.
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + rounds[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (c & (a ^ b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

// Bytes and text.

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeText(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function isEqual(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function decodeBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

const encodeBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
const encodeHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** 32 bytes in base64, in its only canonical form: the last character has two bits that must be zero. */
const base64Hash = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const decodeHash = (text) => (typeof text === 'string' && base64Hash.test(text) ? decodeBase64(text) : undefined);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const count = (number, noun) => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** The object that a text in the form of RFC 8785 holds, of what records may hold; or undefined. */
function parseCanonical(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || !hasPermittedValues(value) || hasSurrogateEscape(text)) return undefined;
  if (JSON.stringify(value) === text && isSorted(value)) return value;
  // Names that are numbers are moved to the front by JavaScript.
  return canonicalize(value) === text ? value : undefined;
}

/** Half a character, which is no text: whole ones are never escaped. */
const hasSurrogateEscape = (text) => text.includes('\\u') && /\\u[^0]/.test(text.replaceAll('\\\\', ''));

function hasPermittedValues(value) {
  if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);
  if (!isObject(value)) return false;
  for (const key of Object.keys(value)) if (!hasPermittedValues(value[key])) return false;
  return true;
}

function isSorted(value) {
  let last = '';
  for (const key of Object.keys(value)) {
    if (key < last || (typeof value[key] === 'object' && !isSorted(value[key]))) return false;
    last = key;
  }
  return true;
}

function canonicalize(value) {
  if (typeof value !== 'object') return JSON.stringify(value);
  const keys = Object.keys(value).sort((a, b) => (a < b ? -1 : 1));
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalize(value[key])}`).join(',')}}`;
}

// The tree of RFC 6962, section 2.1.

/** Keeps the complete subtrees (peaks) of the leaves so far. Without some of them the tree is unknown until it is loaded. */
class Tree {
  size = 0;
  isKnown = true;
  #peaks = [];

  /** `onNode(level, index, hash)` hears of each node that becomes complete. */
  append(leaf, onNode) {
    let index = this.size++;
    if (!this.isKnown) return;
    let level = 0;
    let node = leaf;
    onNode(0, index, node);
    for (; index % 2 === 1; level++) {
      index = (index - 1) / 2;
      node = hashPair(this.#peaks[level], node);
      onNode(level + 1, index, node);
    }
    this.#peaks[level] = node;
  }

  /** Goes on at a size, with the hashes of `listPeaks(size)` or without knowing them. */
  load(size, hashes) {
    this.size = size;
    this.isKnown = hashes !== undefined;
    this.#peaks = [];
    for (const [i, { level }] of this.isKnown ? listPeaks(size).entries() : []) this.#peaks[level] = hashes[i];
  }

  root() {
    return this.isKnown ? foldPeaks(listPeaks(this.size).map(({ level }) => this.#peaks[level])) : undefined;
  }
}

/** The complete subtrees of a size, the largest first. */
function listPeaks(size) {
  const peaks = [];
  for (let level = 0, index = size; index > 0; level++, index = Math.floor(index / 2)) if (index % 2 === 1) peaks.unshift({ level, index: index - 1 });
  return peaks;
}

function foldPeaks(hashes) {
  return hashes.length === 0 ? hash(new Uint8Array()) : hashes.reduceRight((right, left) => hashPair(left, right));
}

/** How many nodes are complete with so many leaves: 2k - popcount(k). */
function countNodes(leafCount) {
  let nodes = 2 * leafCount;
  for (let left = leafCount; left > 0; left = Math.floor(left / 2)) nodes -= left % 2;
  return nodes;
}

/** The file `hashes`, of which one range at a time is in memory, and the peaks before it. */
class HashFile {
  #file;
  #size;
  #base = 0;
  #bytes = new Uint8Array();
  #before = new Map();

  constructor(file, size) {
    this.#file = file;
    this.#size = size;
  }

  /** All nodes that leaves from `start` up to `end` complete. */
  async load(start, end) {
    this.#base = countNodes(start);
    this.#bytes = await this.#read(this.#base, countNodes(end));
    this.#before.clear();
    for (const { level, index } of listPeaks(start)) {
      const place = HashFile.place(level, index);
      const bytes = await this.#read(place, place + 1);
      if (bytes.length === 32) this.#before.set(place, bytes);
    }
  }

  static place(level, index) {
    return countNodes((index + 1) * 2 ** level - 1) + level;
  }

  node(level, index) {
    const place = HashFile.place(level, index);
    const at = 32 * (place - this.#base);
    if (at < 0) return this.#before.get(place);
    return at + 32 <= this.#bytes.length ? this.#bytes.subarray(at, at + 32) : undefined;
  }

  /** For a size from the start of the range on; undefined where the file does not go so far. */
  peaks(size) {
    const hashes = listPeaks(size).map(({ level, index }) => this.node(level, index));
    return hashes.includes(undefined) ? undefined : hashes;
  }

  async #read(from, to) {
    const [start, end] = [Math.min(32 * from, this.#size), Math.min(32 * to, this.#size)];
    return start < end ? await this.#file.part('hashes', start, end) : new Uint8Array();
  }
}

// Keys, checkpoints and signatures.

const checkpointForm =
  /^(inward-audit\/[0-9a-f]{32})\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n\n\u2014 \1 ([A-Za-z0-9+/]{90}[AEIMQUYcgkosw048]=)\n$/;
const keyForm = /^(inward-audit\/[0-9a-f]{32})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/;

/** A checkpoint in its only form, or undefined. */
function parseCheckpoint(text) {
  const [, name, digits, root, signature] = (typeof text === 'string' && checkpointForm.exec(text)) || [];
  const size = Number(digits);
  if (name === undefined || !Number.isSafeInteger(size)) return undefined;
  const bytes = decodeBase64(signature);
  return { text, name, size, root, keyHash: encodeHex(bytes.subarray(0, 4)), signature: bytes.subarray(4), signed: `${name}\n${digits}\n${root}\n` };
}

function createKey(name, raw) {
  const prefix = encoder.encode(`${name}\n\u0001`);
  const bytes = new Uint8Array(prefix.length + 32);
  bytes.set(prefix);
  bytes.set(raw, prefix.length);
  const keyHash = encodeHex(hash(bytes).subarray(0, 4));
  const handle = crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']).catch(() => undefined);
  return { name, keyHash, handle, text: `${name}+${keyHash}+${encodeBase64(Uint8Array.of(1, ...raw))}` };
}

/** A key as it is written; undefined where it is no such text, or its hash is not its own. */
export function parseKey(text) {
  const [, name, , base64] = keyForm.exec(text.trim()) ?? [];
  if (name === undefined) return undefined;
  const key = createKey(name, decodeBase64(base64).subarray(1));
  return key.text === text.trim() ? key : undefined;
}

async function hasSignature(checkpoint, key) {
  if (checkpoint.keyHash !== key.keyHash || checkpoint.name !== key.name) return false;
  const handle = await key.handle;
  return handle !== undefined && (await crypto.subtle.verify('Ed25519', handle, checkpoint.signature, encoder.encode(checkpoint.signed)));
}

/** Lets many signatures be checked at once, on other threads, while the reading goes on. */
class Pending {
  #now = [];
  #before = [];

  get isFull() {
    return this.#now.length >= 256;
  }

  add(promise) {
    this.#now.push(promise);
  }

  async turn() {
    await Promise.all(this.#before);
    this.#before = this.#now;
    this.#now = [];
  }
}

// Frames.

const magic = encoder.encode('inward audit v1\n');
const bodyLimit = 16_384;

/** One frame, or a sentence about why there is none. `body` begins behind the type; the hash of a record's frame is its leaf. */
function readFrame(bytes, view, offset) {
  if (bytes.length - offset < 4) return 'The file ends within the length of a frame';
  const length = view.getUint32(offset);
  if (length < 2 || length > bodyLimit + 1) return `A frame has a length of ${length}; expected 2 to ${bodyLimit + 1}`;
  const body = offset + 5;
  const stop = offset + 4 + length;
  if (stop + 8 > bytes.length) return 'A frame reaches beyond the end of the file';
  const type = bytes[offset + 4];
  if (type !== 0 && type !== 2) return `A frame has the type ${type}; expected 0 or 2`;
  const digest = hash(bytes, offset + 4, stop);
  for (let i = 0; i < 8; i++) if (bytes[stop + i] !== digest[i]) return 'A frame does not fit its check';
  return { offset, body, stop, end: stop + 8, isRecord: type === 0, hash: digest };
}

/** All frames in order, and the damaged ranges between them: { offset, end, damage }. `end`: where only zeros follow. */
function scanFrames(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const items = [];
  let offset = magic.length;
  while (offset < bytes.length) {
    const found = readFrame(bytes, view, offset);
    if (typeof found !== 'string') {
      items.push(found);
      offset = found.end;
      continue;
    }
    const nonZero = findNonZero(bytes, offset);
    if (nonZero === bytes.length) break;
    const next = findFrame(bytes, view, offset + 1);
    const isBehindEnd = next === bytes.length && nonZero >= offset + 4;
    items.push({ offset: isBehindEnd ? nonZero : offset, end: next, damage: isBehindEnd ? 'Behind the last frame is a byte that is not zero' : found });
    offset = next;
  }
  return { items, end: offset };
}

function findNonZero(bytes, from) {
  let at = from;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

/** Where the next whole frame begins: only such places are hashed as can be one. */
function findFrame(bytes, view, from) {
  for (let at = from; at + 14 <= bytes.length; at++) {
    if (bytes[at] !== 0 || bytes[at + 1] !== 0) continue;
    const first = bytes[at + 5];
    if ((first === 0x7b || first === 0x69) && typeof readFrame(bytes, view, at) !== 'string') return at;
  }
  return bytes.length;
}

// The log.

const flawLimit = 1000;
/** Bytes of `head` that are looked at: no checkpoint is as long. */
const headLimit = 4096;
const clockTolerance = 5000;
/** The end of the year 9999. */
const lastTime = 253_402_300_799_999;
const retentionYears = 6;
const requestForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const segmentForm = /^(\d{8})\.(log|stub)$/;
const segmentName = (number, kind) => `${String(number).padStart(8, '0')}.${kind}`;

/** Checks one folder of a log. Never rejects for damage; an Error says that this Node or browser cannot check Ed25519 signatures, or what the source threw. */
export async function verifyLog(source, options = {}) {
  await requireEd25519();
  return await new LogCheck(source, options).run();
}

async function requireEd25519() {
  try {
    // The base point: any valid key would do.
    await crypto.subtle.importKey('raw', new Uint8Array(32).fill(0x66).fill(0x58, 0, 1), 'Ed25519', false, ['verify']);
  } catch {
    throw new Error('Ed25519 signatures cannot be checked here: expected Node 20 or later, or a browser of 2025 or later.');
  }
}

class LogCheck {
  #source;
  #options;
  #hashes;
  #hashesSize = 0;
  #tree = new Tree();
  #pending = new Pending();
  #trusted;
  /** Of the segment that is being read. */
  #key;
  /** Of the next segment, by `log_rotated`. */
  #nextKey;
  #name;
  #segments = new Map();
  #file = '';
  #number = 0;
  #lastSize = 0;
  #lastTime = Number.NaN;
  #isRootBroken = false;
  #isDamaged = false;
  #isKeyMissed = false;
  /** Leaves and nodes of the commit that are not those in `hashes`. */
  #differences = [];
  #watched = new Map();
  #open = new Set();
  #lostCount = 0;
  #purgedTo = 0;
  #purges = [];
  #done = 0;
  #total = 0;
  #flaws = [];
  #report;

  constructor(source, options) {
    const part = source.part?.bind(source) ?? (async (name, start, end) => (await source.read(name)).subarray(start, end));
    const size = source.size?.bind(source) ?? (async (name) => (await source.read(name)).length);
    const list = source.list?.bind(source) ?? (async () => source.names);
    this.#source = { names: source.names, read: (name) => source.read(name), list, part, size };
    this.#options = options;
    this.#report = {
      log: undefined,
      key: undefined,
      records: 0,
      root: undefined,
      checkpoint: undefined,
      checkpoints: 0,
      signatures: 0,
      segments: 0,
      purgedSegments: 0,
      purgedRecords: 0,
      firstTime: undefined,
      lastTime: undefined,
      counts: {},
      open: 0,
      gaps: [],
      unchecked: [],
      flaws: this.#flaws,
      flawCount: 0,
    };
  }

  async run() {
    const { names } = this.#source;
    // Before the segments: a log that is being written only grows. In one read: a checkpoint may become a digit longer between a look at
    // its size and the reading.
    const head = names.includes('head') ? await this.#source.part('head', 0, headLimit) : undefined;
    this.#hashesSize = names.includes('hashes') ? await this.#source.size('hashes') : 0;
    this.#hashes = new HashFile(this.#source, this.#hashesSize);
    const segments = this.#listSegments();
    if (segments.length > 1 && (await this.#isUnbegun(segments.at(-1)))) segments.pop();
    this.#readKeys();
    const watch = this.#readWitness(head);
    for (const { number, kind } of segments) this.#total += await this.#source.size(segmentName(number, kind));
    for (let i = 0; i < segments.length; i++) {
      const { number, kind } = segments[i];
      await this.#readSegment(number, kind, i === segments.length - 1);
      if (i === segments.length - 1 && this.#nextKey !== undefined) segments.push(...(await this.#findNext(number + 1)));
    }
    await this.#checkWatched(watch);
    this.#checkEnd(segments);
    await this.#pending.turn();
    await this.#pending.turn();
    return this.#finish();
  }

  #flag(code, file, place, text) {
    this.#report.flawCount++;
    if (this.#flaws.length < flawLimit) this.#flaws.push({ code, file, ...place, text });
  }

  #finish() {
    const others = ['hashes', 'head', 'witness'];
    const rank = ({ file }) => (others.includes(file) ? 1e9 + others.indexOf(file) : Number(segmentForm.exec(file)?.[1] ?? 0));
    this.#flaws.sort((a, b) => rank(a) - rank(b) || (a.offset ?? 0) - (b.offset ?? 0));
    return this.#report;
  }

  // What is there

  #listSegments() {
    const kinds = new Map();
    for (const name of this.#source.names) {
      const [, digits, kind] = segmentForm.exec(name) ?? [];
      // Both are there where a purge was cut off before the segment was taken away.
      if (digits !== undefined && !(kind === 'stub' && kinds.get(Number(digits)) === 'log')) kinds.set(Number(digits), kind);
    }
    const segments = [...kinds].map(([number, kind]) => ({ number, kind })).sort((a, b) => a.number - b.number);
    let expected = 1;
    for (const { number } of segments) {
      if (number > expected) {
        const what = number === expected + 1 ? `Segment ${expected} is missing` : `Segments ${expected} to ${number - 1} are missing`;
        this.#flag('missing', segmentName(expected, 'log'), {}, `${what}: expected its file or its stub.`);
      }
      expected = number + 1;
    }
    if (segments.length === 0) this.#flag('missing', segmentName(1, 'log'), {}, 'The folder has no segment: expected 00000001.log.');
    return segments;
  }

  /** Whether it has no frame: the file of the next segment is made before the one before it ends, which is the newest until then. */
  async #isUnbegun({ number, kind }) {
    const name = segmentName(number, kind);
    const isMade = (bytes) =>
      findNonZero(bytes, magic.length) === Math.max(bytes.length, magic.length) && magic.every((byte, i) => byte === (bytes[i] ?? byte));
    return kind === 'log' && isMade(await this.#source.part(name, 0, 2 * magic.length)) && isMade(await this.#source.read(name));
  }

  /** The segment behind the newest one, where that was full: a log that is being written may have begun it since. */
  async #findNext(number) {
    const name = segmentName(number, 'log');
    if ((await this.#source.list()).includes(name)) return [{ number, kind: 'log' }];
    this.#flag('missing', name, {}, `Segment ${number} is missing: segment ${number - 1} ends with log_rotated.`);
    return [];
  }

  #readKeys() {
    const keys = (this.#options.keys ?? []).map((text) => ({ text, key: parseKey(text) }));
    for (const { text, key } of keys) if (key === undefined) this.#flag('key', '', {}, `A key that was given is no key of a log: found ${text.slice(0, 120)}.`);
    this.#trusted = keys.map(({ key }) => key).filter((key) => key !== undefined);
    if (keys.length === 0)
      this.#report.unchecked.push(
        'The first key is that of the log itself: whoever wrote the whole log anew could not be told from its owner (give the key that was noted).',
      );
  }

  /** Checkpoints that the log must go through: those of the witness, and `head`. */
  #readWitness(head) {
    const watch = [];
    for (const text of this.#options.checkpoints ?? []) {
      let offset = 0;
      for (const part of splitCheckpoints(text)) {
        const checkpoint = parseCheckpoint(part);
        if (checkpoint === undefined) this.#flag('witness', 'witness', { offset }, 'The witness has something that is no checkpoint.');
        else watch.push({ file: 'witness', offset, checkpoint });
        offset += encoder.encode(part).length;
      }
    }
    if (!this.#options.isOneOfSeveral && watch.length === 0) {
      this.#report.unchecked.push('No checkpoint of a witness was given: whether the whole folder was put back to an older state cannot be seen.');
    }
    const checkpoint = head && parseCheckpoint(decodeText(head));
    if (head === undefined) this.#flag('head', 'head', {}, 'The file `head` is missing: whether the end of the log was cut off cannot be seen.');
    else if (checkpoint === undefined) this.#flag('head', 'head', { offset: 0 }, 'The file `head` is no checkpoint.');
    else watch.push({ file: 'head', offset: 0, checkpoint });
    for (const { checkpoint } of watch) this.#watched.set(checkpoint.size, undefined);
    return watch;
  }

  // One segment

  async #readSegment(number, kind, isNewest) {
    const file = segmentName(number, kind);
    const { bytes, items, end } = await this.#scan(file, isNewest);
    const isBehindHole = this.#number !== number - 1;
    this.#file = file;
    this.#key = isBehindHole ? undefined : this.#nextKey;
    this.#isKeyMissed = false;
    this.#nextKey = undefined;
    this.#number = number;
    const damage = magic.findIndex((byte, i) => bytes[i] !== byte);
    if (damage !== -1) this.#flag('magic', file, { offset: damage }, 'The file does not begin with the line "inward audit v1".');
    const last = findLastCheckpoint(items);
    const closing = parseCheckpoint(decodeText(bytes.subarray(items[last]?.body, items[last]?.stop)));
    const until = closing?.size ?? 0;
    this.#name ??= closing?.name;
    if (isBehindHole) await this.#crossHole(bytes, items);
    const start = this.#tree.size;
    if (kind === 'stub') await this.#readStub(bytes, items, start, until);
    else {
      await this.#hashes.load(start, Math.min(Math.max(until, start + items.length), start + bytes.length));
      await this.#readItems(bytes, items, isNewest ? last + 1 : items.length);
      if (isNewest) this.#checkBehind(items.slice(last + 1));
    }
    if (!isNewest) this.#checkClosed(items, last, bytes.length > end ? end : undefined);
    this.#segments.set(number, { start, end: this.#tree.size, key: this.#key, root: this.#tree.root(), time: this.#lastTime });
    this.#report[kind === 'stub' ? 'purgedSegments' : 'segments']++;
    if (kind === 'stub') this.#report.purgedRecords += this.#tree.size - start;
    else await this.#compareStub(number, bytes, items, last);
  }

  /** The newest segment may be read in the middle of a commit: then it is another one a moment later. */
  async #scan(file, isNewest) {
    let bytes = await this.#source.read(file);
    for (let tries = 0; ; tries++) {
      const { items, end } = scanFrames(bytes);
      if (!isNewest || findLastCheckpoint(items) === items.length - 1 || tries === 5) return { bytes, items, end };
      const again = await this.#source.read(file);
      if (isEqual(again, bytes)) return { bytes, items, end };
      bytes = again;
    }
  }

  /** Goes on behind a missing segment: with the number of the first record that is there, and the tree of `hashes`. */
  async #crossHole(bytes, items) {
    const first = items.find((item) => item.isRecord);
    const seq = first && parseCanonical(decodeText(bytes.subarray(first.body, first.stop)) ?? '')?.seq;
    if (!isCount(seq) || seq <= this.#tree.size) return;
    this.#lostCount += seq - this.#tree.size;
    await this.#hashes.load(seq, seq);
    this.#tree.load(seq, this.#hashes.peaks(seq));
  }

  async #readItems(bytes, items, end) {
    for (let i = 0; i < end; i++) {
      const item = items[i];
      if (item.damage !== undefined) this.#passDamage(item);
      else if (item.isRecord) this.#readRecord(bytes, items, i);
      else this.#readCheckpoint(bytes, item, () => findNextSeq(bytes, items, i));
      if (!this.#pending.isFull && i % 8192 !== 8191) continue;
      await this.#pending.turn();
      // Lets a page show how far it is.
      if (i % 8192 === 8191) await new Promise((resolve) => setTimeout(resolve));
      this.#options.onProgress?.(this.#done + item.end, this.#total);
    }
    this.#done += bytes.length;
    this.#options.onProgress?.(this.#done, this.#total);
  }

  #passDamage({ offset, end, damage }) {
    this.#flag('frame', this.#file, { offset, seq: this.#tree.size }, `${damage} (${end - offset} bytes, at or behind record ${this.#tree.size}).`);
    this.#isDamaged = true;
  }

  /** Takes a record into the tree: where it belongs, as far as those behind it show. */
  #readRecord(bytes, items, i) {
    const item = items[i];
    const text = decodeText(bytes.subarray(item.body, item.stop));
    const value = text === undefined ? undefined : parseCanonical(text);
    const expected = this.#tree.size;
    const place = { offset: item.offset, seq: expected };
    if (!isCount(value?.seq) || typeof value.event !== 'string') {
      this.#flag('record', this.#file, place, 'A record is no canonical JSON (RFC 8785) with the fields seq, time and event.');
      this.#append(item);
      return;
    }
    const { seq } = value;
    if (seq !== expected) {
      const next = findNextSeq(bytes, items, i);
      const isJump = seq > expected && (next === undefined || next === seq + 1);
      if (!isJump || !this.#isDamaged) this.#flag('seq', this.#file, { ...place, seq }, `Record ${seq} stands where record ${expected} is expected.`);
      if (isJump) this.#jump(seq);
      else if (seq < expected && next !== undefined && next !== expected + 1) return;
    }
    this.#isDamaged = false;
    this.#append(item);
    this.#readEvent(value, item, items[i + 1]?.isRecord === false ? items[i + 1] : undefined);
    this.#options.onRecord?.(seq, text);
  }

  #append({ hash: leaf, offset }) {
    const seq = this.#tree.size;
    this.#tree.append(leaf, (level, index, node) => this.#compareNode(level, index, node, offset, seq));
    this.#note();
  }

  #compareNode(level, index, node, offset, seq) {
    const stored = this.#hashes.node(level, index);
    if (stored !== undefined && !isEqual(stored, node) && this.#differences.length < flawLimit) this.#differences.push({ level, index, offset, seq });
  }

  #note() {
    if (this.#watched.has(this.#tree.size)) this.#watched.set(this.#tree.size, this.#tree.root());
  }

  /** Passes over records that are lost. */
  #jump(size) {
    this.#lostCount += size - this.#tree.size;
    for (const watched of this.#watched.keys()) {
      const peaks = watched > this.#tree.size && watched <= size ? this.#hashes.peaks(watched) : undefined;
      if (peaks !== undefined) this.#watched.set(watched, foldPeaks(peaks));
    }
    this.#tree.load(size, this.#hashes.peaks(size));
  }

  #readCheckpoint(bytes, item, next) {
    const checkpoint = parseCheckpoint(decodeText(bytes.subarray(item.body, item.stop)));
    const place = { offset: item.offset, seq: Math.max(0, this.#tree.size - 1) };
    this.#report.checkpoints++;
    if (checkpoint === undefined) {
      this.#flag('checkpoint', this.#file, place, 'A checkpoint is no signed note of an audit log in its exact form.');
      return;
    }
    this.#name ??= checkpoint.name;
    if (checkpoint.name !== this.#name) {
      this.#flag('checkpoint', this.#file, place, `A checkpoint is one of another log: expected ${this.#name}, found ${checkpoint.name}.`);
      return;
    }
    this.#checkSize(checkpoint, place, next);
    if (this.#number === 1) this.#key ??= this.#findTrusted(checkpoint.name);
    this.#sign(checkpoint, this.#key, this.#file, place);
    if (checkpoint.size === this.#tree.size) this.#checkRoot(checkpoint, place);
    this.#differences = [];
    Object.assign(this.#report, { root: checkpoint.root, checkpoint: checkpoint.text });
  }

  #checkSize({ size }, place, next) {
    if (size <= this.#lastSize)
      this.#flag('size', this.#file, place, `A checkpoint of ${size} records stands behind one of ${this.#lastSize}: sizes must grow.`);
    this.#lastSize = Math.max(size, this.#lastSize);
    if (size === this.#tree.size) return;
    const following = next();
    const isJump = size > this.#tree.size && (following === undefined || following >= size);
    if (!isJump || !this.#isDamaged)
      this.#flag('size', this.#file, place, `A checkpoint is one of ${count(size, 'record')}; ${this.#tree.size} stand before it.`);
    if (isJump) this.#jump(size);
    this.#isDamaged = false;
  }

  #sign(checkpoint, key, file, place) {
    if (key === undefined) {
      if (this.#number === 1 && file.endsWith('.stub')) {
        this.#report.unchecked.push('The signature of the first stub: the first key was purged with its segment (give the key that was noted).');
      } else if (!this.#isKeyMissed) this.#flag('key', file, place, 'A signature cannot be checked: the record that would name its key is missing or damaged.');
      this.#isKeyMissed = true;
      return;
    }
    this.#report.signatures++;
    this.#pending.add(
      hasSignature(checkpoint, key).then((isGood) => {
        if (!isGood)
          this.#flag(
            'signature',
            file,
            place,
            `The checkpoint of ${count(checkpoint.size, 'record')} is not signed with the key of its segment (${key.keyHash}).`,
          );
      }),
    );
  }

  /**
   * Where the records do not give the signed root but `hashes` does, the records that differ from it are the altered ones. Where the
   * records give it, whatever differs is damage of `hashes`.
   */
  #checkRoot({ root, size }, place) {
    const own = this.#tree.root();
    if (own !== undefined && encodeBase64(own) === root) {
      this.#isRootBroken = false;
      for (const { level, index, seq } of this.#differences) this.#flagNode(level, index, seq);
      return;
    }
    const peaks = this.#hashes.peaks(size);
    if (peaks !== undefined && encodeBase64(foldPeaks(peaks)) === root) {
      this.#flagLowest(place);
      this.#tree.load(size, peaks);
      this.#isRootBroken = false;
      this.#note();
    } else if (own === undefined) {
      if (!this.#report.unchecked.includes(lostRoots)) this.#report.unchecked.push(lostRoots);
    } else if (!this.#isRootBroken) {
      this.#isRootBroken = true;
      this.#flag(
        'root',
        this.#file,
        place,
        `The root of this checkpoint (${count(size, 'record')}) is not that of the records: one since the checkpoint before was altered, or the checkpoint.`,
      );
    }
  }

  /** Of nodes that differ, those above an altered leaf say nothing more. Leaves of purged records are seen by the node above only. */
  #flagLowest(place) {
    const isAbove = (node, { level, index }) => node.level > level && Math.floor(index / 2 ** (node.level - level)) === node.index;
    const lowest = this.#differences.filter((node) => !this.#differences.some((other) => isAbove(node, other)));
    for (const { level, index, offset, seq } of lowest) {
      if (level === 0) this.#flag('altered', this.#file, { offset, seq }, `Record ${seq} is not the one that was signed.`);
      else this.#flagNode(level, index, seq);
    }
    if (lowest.length === 0 && this.#tree.isKnown && !this.#isRootBroken)
      this.#flag('root', this.#file, place, 'Records before this checkpoint are not those that were signed.');
  }

  #flagNode(level, index, seq) {
    const offset = 32 * HashFile.place(level, index);
    this.#flag('hashes', 'hashes', { offset, seq }, `Node ${index} of level ${level} is not the hash that the records or the nodes below give.`);
  }

  // The end of a segment

  #checkBehind(behind) {
    const seq = this.#tree.size;
    for (const { damage, offset, end } of behind) {
      if (damage !== undefined) this.#flag('torn', this.#file, { offset, seq }, `${damage} (${end - offset} bytes behind the last checkpoint: ${unsigned}).`);
    }
    const frames = behind.filter(({ isRecord }) => isRecord);
    if (frames.length > 0)
      this.#flag('torn', this.#file, { offset: frames[0].offset, seq }, `${count(frames.length, 'record')} behind the last checkpoint: ${unsigned}.`);
  }

  #checkClosed(items, last, zeros) {
    if (zeros !== undefined) this.#flag('tail', this.#file, { offset: zeros }, 'Zeros stand behind the last frame; only the newest segment has any.');
    if (last !== -1 && last === items.length - 1 && this.#nextKey !== undefined) return;
    const place = { offset: items.at(-1)?.offset ?? magic.length, seq: Math.max(0, this.#tree.size - 1) };
    this.#flag('rotation', this.#file, place, 'The segment does not end with log_rotated and its checkpoint, although it is not the newest one.');
  }

  async #compareStub(number, bytes, items, last) {
    const name = segmentName(number, 'stub');
    if (!this.#source.names.includes(name)) return;
    const expected = [...magic, ...bytes.subarray(items[last - 1]?.offset, items[last]?.end)];
    if (!isEqual(await this.#source.read(name), expected))
      this.#flag('stub', name, { offset: 0 }, 'The stub is not the end of its segment, which is still here.');
  }

  // A segment that was purged

  async #readStub(bytes, items, start, until) {
    const [record, checkpoint] = items;
    this.#done += bytes.length;
    if (this.#segments.size > this.#report.purgedSegments) this.#flag('stub', this.#file, {}, 'A stub stands behind a segment that was not purged.');
    for (const item of items) if (item.damage !== undefined) this.#passDamage(item);
    if (items.length !== 2 || !record.isRecord || checkpoint.isRecord !== false || until <= start) {
      this.#flag(
        'stub',
        this.#file,
        { offset: magic.length, seq: start },
        'A stub is one record, log_rotated, and one checkpoint of more records than the segment before.',
      );
      if (until <= start || until > start + this.#hashesSize / 32) return;
    }
    await this.#scanPurged(start, until, record?.isRecord ? record : undefined);
    if (record?.isRecord) {
      const value = parseCanonical(decodeText(bytes.subarray(record.body, record.stop)) ?? '');
      if (value?.seq === until - 1 && value.event === 'log_rotated') this.#readEvent(value, record, checkpoint);
      else this.#flag('stub', this.#file, { offset: record.offset, seq: until - 1 }, `The record of a stub must be log_rotated, here record ${until - 1}.`);
    }
    if (checkpoint?.isRecord === false) this.#readCheckpoint(bytes, checkpoint, () => undefined);
    this.#isDamaged = false;
  }

  /** Takes the leaves of purged records from `hashes`, but for the last one, which the stub has; each node there must be the hash of the two below it. */
  async #scanPurged(start, end, record) {
    const rangeLength = 65_536;
    for (let from = start; from < end; from += rangeLength) {
      const to = Math.min(end, from + rangeLength);
      await this.#hashes.load(from, to);
      for (let k = from; k < to; k++) {
        const leaf = (k === end - 1 && record?.hash) || this.#hashes.node(0, k);
        if (leaf === undefined) {
          this.#flag(
            'hashes',
            'hashes',
            { offset: this.#hashesSize, seq: k },
            `The hashes of purged records are missing from record ${k} on: \`hashes\` must be whole.`,
          );
          this.#tree.load(end, undefined);
          return;
        }
        this.#tree.append(leaf, (level, index, node) => this.#compareNode(level, index, node, record?.offset, k));
        this.#note();
      }
    }
  }

  // What records say

  #readEvent(value, item, checkpoint) {
    const { event, seq } = value;
    const flag = (code, text) => this.#flag(code, this.#file, { offset: item.offset, seq }, text);
    const isStub = this.#file.endsWith('.stub');
    const { time } = value;
    if (!isCount(time) || time > lastTime) flag('record', 'The field `time` of a record is no number of milliseconds since 1970 (UTC).');
    else {
      // An administrator has put back a clock that was ahead.
      if (event === 'gap' && value.cause === 'clock') this.#lastTime = Number.NaN;
      if (time < this.#lastTime - clockTolerance) flag('time', `The time of record ${seq} is ${this.#lastTime - time} ms before that of an earlier one.`);
      this.#lastTime = Number.isNaN(this.#lastTime) ? time : Math.max(time, this.#lastTime);
      if (!isStub) this.#report.firstTime ??= time;
      this.#report.lastTime = time;
    }
    if (!isStub) this.#report.counts[event] = (this.#report.counts[event] ?? 0) + 1;
    if (seq === 0 && event !== 'log_created') flag('order', 'The first record of a log must be log_created.');
    if (this.#nextKey !== undefined) flag('rotation', 'A record stands behind log_rotated, which must be the last of its segment.');
    if (event === 'log_created') this.#readCreated(value, flag);
    else if (event === 'log_rotated') this.#readRotated(value, flag, checkpoint);
    else if (event === 'log_purged') this.#readPurged(value, item, flag, time);
    else if (event === 'gap') this.#report.gaps.push({ seq, time: value.time, cause: value['cause'], bytes: value['bytes'], records: value['records'] });
    else if (event === 'intent' || event === 'outcome') this.#readPair(event, value['request'], flag);
  }

  #readCreated({ seq, log, key }, flag) {
    if (seq !== 0) return flag('order', 'log_created must be the first record of a log.');
    const raw = decodeHash(key);
    if (typeof log !== 'string' || !/^[0-9a-f]{32}$/.test(log) || raw === undefined)
      return flag('record', 'log_created must have the id of the log in `log` and its first key in `key`.');
    this.#name = `inward-audit/${log}`;
    const own = createKey(this.#name, raw);
    const trusted = this.#findTrusted(this.#name);
    this.#key = own;
    this.#report.key = own.text;
    if (trusted !== undefined && trusted.text !== own.text)
      flag('key', `The first key of the log is not the trusted one: expected ${trusted.text}, found ${own.text}.`);
    return undefined;
  }

  #findTrusted(name) {
    const key = this.#trusted.find((trusted) => trusted.name === name);
    if (key !== undefined) this.#report.key ??= key.text;
    else if (this.#options.isOneOfSeveral) this.#report.unchecked.push('No key that was given is one of this log.');
    else if (this.#trusted.length > 0) this.#flag('key', this.#file, {}, `None of the trusted keys is one of this log, ${name}.`);
    return key;
  }

  #readRotated({ segment, key }, flag, checkpoint) {
    const raw = decodeHash(key);
    if (segment !== this.#number + 1 || raw === undefined) flag('record', `log_rotated must name segment ${this.#number + 1} and its key.`);
    if (checkpoint === undefined) flag('rotation', 'log_rotated must be the last record of its segment, and its checkpoint the next frame.');
    if (raw !== undefined && this.#name !== undefined) this.#nextKey = createKey(this.#name, raw);
  }

  #readPurged({ first, last, records, root, seq }, item, flag, time) {
    if (!isCount(first) || !isCount(last) || !isCount(records) || decodeHash(root) === undefined || first < 1 || last < first || last >= this.#number) {
      flag('record', 'log_purged must have the segments `first` to `last`, all before its own, `records` and `root`.');
      return;
    }
    if (this.#purges.length > 0 && first !== this.#purgedTo + 1)
      flag('purge', `A purge begins with segment ${first}; the one before ended with segment ${this.#purgedTo}.`);
    this.#purgedTo = last;
    this.#purges.push({ first, last, records, root, time, place: { offset: item.offset, seq }, file: this.#file });
  }

  #readPair(event, request, flag) {
    if (typeof request !== 'string' || !requestForm.test(request)) return flag('record', `The field \`request\` of ${event} is no UUID.`);
    if (event === 'intent') {
      if (this.#open.has(request)) flag('pair', 'An intent has the number of another one that is still open.');
      this.#open.add(request);
    } else if (!this.#open.delete(request) && this.#lostCount === 0 && this.#report.purgedSegments === 0)
      flag('pair', 'An outcome has no open intent before it: there is none, or it has an outcome already.');
    return undefined;
  }

  // At the end

  #keyOf(size) {
    for (const { start, end, key } of this.#segments.values()) if (size > start && size <= end) return key;
    return undefined;
  }

  async #checkWatched(watch) {
    // One witness may keep the checkpoints of several logs.
    const isKept = this.#options.isOneOfSeveral || watch.some(({ file, checkpoint }) => file === 'witness' && checkpoint.name === this.#name);
    for (const { file, offset, checkpoint } of watch) {
      const { size, name } = checkpoint;
      const place = { offset, seq: Math.max(0, size - 1) };
      if (name !== this.#name) {
        if (file === 'head' || !isKept) this.#flag(file, file, place, `The checkpoint is one of another log: expected ${this.#name}, found ${name}.`);
      } else if (size > this.#lastSize) {
        const text = `The log ends at ${count(this.#lastSize, 'record')}, ${file === 'head' ? '`head`' : 'the witness'} has seen ${size}: the end was cut off or put back to an older state.`;
        this.#flag(file === 'head' ? 'cut' : 'rollback', file, place, text);
      } else {
        this.#sign(checkpoint, this.#keyOf(size), file, place);
        const root = this.#watched.get(size);
        if (root === undefined) this.#report.unchecked.push(`The root of a checkpoint of ${size} records in ${file}: records before it are damaged.`);
        else if (encodeBase64(root) !== checkpoint.root)
          this.#flag('fork', file, place, `The log had another first ${size} records when this checkpoint was signed: there are two histories.`);
      }
    }
  }

  #checkEnd(segments) {
    const nodes = 32 * countNodes(this.#tree.size);
    if (this.#hashesSize > nodes) {
      this.#flag(
        'hashes',
        'hashes',
        { offset: nodes, seq: this.#tree.size },
        `\`hashes\` has ${this.#hashesSize} bytes; ${count(this.#tree.size, 'record')} give ${nodes}.`,
      );
    }
    for (const purge of this.#purges) this.#checkPurge(purge);
    for (const { number, kind } of segments) {
      if (kind === 'stub' && number > this.#purgedTo)
        this.#flag('purge', segmentName(number, 'stub'), {}, `Segment ${number} was taken away without a record log_purged.`);
    }
    this.#report.log = this.#name?.slice('inward-audit/'.length);
    this.#report.open = this.#open.size;
    this.#report.records = this.#lastSize;
  }

  #checkPurge({ first, last, records, root, time, place, file }) {
    const [begin, end] = [this.#segments.get(first), this.#segments.get(last)];
    if (begin === undefined || end === undefined) return this.#flag('purge', file, place, `The purged segments ${first} to ${last} left no stub.`);
    const limit = new Date(end.time);
    limit.setUTCFullYear(limit.getUTCFullYear() + retentionYears);
    if (time < limit.getTime()) this.#flag('purge', file, place, `Segment ${last} was purged before its last record was ${retentionYears} years old.`);
    if (records !== end.end - begin.start)
      this.#flag('purge', file, place, `log_purged says ${count(records, 'record')}; segments ${first} to ${last} had ${end.end - begin.start}.`);
    if (end.root !== undefined && root !== encodeBase64(end.root))
      this.#flag('purge', file, place, 'The root in log_purged is not that of the tree at the end of the purged segments.');
    return undefined;
  }
}

const unsigned = 'not signed yet, or what a crash left, which the next start of the log repairs, or damage';
const lostRoots = 'Roots behind lost records: they could be computed only with a whole `hashes`.';

const findLastCheckpoint = (items) => items.findLastIndex((item) => item.isRecord === false);

/** The number of the next record that can be read. */
function findNextSeq(bytes, items, i) {
  const next = items.slice(i + 1, i + 9).find((item) => item.isRecord);
  const seq = next && parseCanonical(decodeText(bytes.subarray(next.body, next.stop)) ?? '')?.seq;
  return isCount(seq) ? seq : undefined;
}

/** The checkpoints of a file that has one behind the other. */
function splitCheckpoints(text) {
  const lines = text.split(/(?<=\n)/);
  return Array.from({ length: Math.ceil(lines.length / 5) }, (_, i) => lines.slice(5 * i, 5 * i + 5).join(''));
}

// Proofs.

const proofFields = {
  inclusion: ['type', 'kind', 'record', 'index', 'path', 'checkpoint', 'chain'],
  consistency: ['type', 'kind', 'old', 'path', 'checkpoint', 'chain'],
};

/** Checks a proof, or all of an incident: the text of its JSON, or its value. Never rejects for what is wrong in it: `file` of a flaw is the field. */
export async function verifyProof(value, options = {}) {
  await requireEd25519();
  return await new ProofCheck(options.keys ?? []).run(typeof value === 'string' ? parseJson(value) : value);
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function findKind({ type, kind }) {
  if (type === 'inward.audit.incident.v1') return 'incident';
  return type === 'inward.audit.proof.v1' && Object.hasOwn(proofFields, kind) ? kind : undefined;
}

class ProofCheck {
  #trusted;
  #key;
  /** Which key signs up to which size. */
  #ranges = [];
  #name = '';
  #report = {
    kind: undefined,
    record: undefined,
    index: undefined,
    records: undefined,
    oldSize: undefined,
    size: undefined,
    log: undefined,
    key: undefined,
    unchecked: [],
    flaws: [],
    flawCount: 0,
  };

  constructor(keys) {
    this.#trusted = keys.map((text) => parseKey(text));
    if (this.#trusted.includes(undefined)) this.#flag('key', '', 'A key that was given is no key of a log.');
  }

  async run(proof) {
    const kind = isObject(proof) ? findKind(proof) : undefined;
    if (kind === undefined) return this.#flag('proof', 'type', 'This is no proof: expected `type` inward.audit.proof.v1, and `kind` inclusion or consistency.');
    this.#report.kind = kind;
    const fields = proofFields[kind] ?? Object.keys(proof);
    for (const field of Object.keys(proof)) if (!fields.includes(field)) this.#flag('proof', field, 'The field is unknown.');
    const checkpoint = this.#readCheckpoint(proof.checkpoint, 'checkpoint');
    if (checkpoint === undefined) return this.#report;
    this.#name = checkpoint.name;
    Object.assign(this.#report, { log: checkpoint.name.slice('inward-audit/'.length), size: checkpoint.size });
    await this.#followChain(proof.chain, checkpoint);
    const last = this.#ranges.at(-1)?.size ?? 0;
    if (checkpoint.size <= last)
      this.#flag('size', 'checkpoint', `The checkpoint is one of ${count(checkpoint.size, 'record')}; the chain already has ${last}.`);
    await this.#sign(checkpoint, this.#key, 'checkpoint');
    this.#ranges.push({ size: checkpoint.size, key: this.#key });
    if (kind === 'consistency') await this.#checkConsistency(proof, checkpoint);
    else if (kind === 'incident') this.#checkIncident(proof, checkpoint);
    else {
      this.#checkEntry(proof, checkpoint, '');
      Object.assign(this.#report, { record: proof.record, index: proof.index });
    }
    return this.#report;
  }

  /** Each record that an incident names must be proved. */
  #checkIncident({ records, proofs }, checkpoint) {
    const entries = Array.isArray(proofs) ? proofs : [];
    for (const [i, entry] of entries.entries()) this.#checkEntry(entry, checkpoint, `proofs[${i}].`);
    const shown = entries.map((entry) => entry?.index);
    if (!Array.isArray(records) || records.length !== shown.length || records.some((seq, i) => seq !== shown[i]))
      this.#flag('proof', 'proofs', 'The proofs must be those of `records`, one each and in their order.');
    this.#report.records = shown.length;
    this.#report.unchecked.push('What the incident says besides its proofs is counted from the log: only who has the log can count it again.');
  }

  #flag(code, file, text) {
    this.#report.flaws.push({ code, file, text });
    this.#report.flawCount++;
    return this.#report;
  }

  #readCheckpoint(text, field) {
    const checkpoint = parseCheckpoint(text);
    if (checkpoint === undefined) this.#flag('checkpoint', field, 'The checkpoint is no signed note of an audit log in its exact form.');
    return checkpoint;
  }

  async #sign(checkpoint, key, field) {
    if (key === undefined)
      this.#flag(
        'key',
        field,
        'The signature cannot be checked: the record before that would name its key is missing or wrong, or was purged (then give the first key of the log).',
      );
    else if (!(await hasSignature(checkpoint, key)))
      this.#flag('signature', field, `The checkpoint is not signed with the key of its segment (${key.keyHash}).`);
  }

  /** The keys of all segments, from the first one on. */
  async #followChain(chain, checkpoint) {
    if (!Array.isArray(chain) || !chain.every(isObject)) {
      this.#flag('proof', 'chain', 'The chain must be a list.');
      return;
    }
    const [first] = chain;
    const hasLink = chain.length > 1 || (first !== undefined && Object.keys(first).some((field) => field !== 'created'));
    const against = hasLink ? this.#readCheckpoint(first.checkpoint, 'chain[0].checkpoint') : checkpoint;
    this.#readFirstKey(first?.created, against);
    for (const [i, link] of hasLink ? chain.entries() : []) await this.#followLink(link, i);
  }

  #readFirstKey(created, against) {
    const trusted = this.#trusted.find((key) => key?.name === this.#name);
    if (this.#trusted.length === 0) this.#report.unchecked.push('The first key is that of the proof itself: compare it with the key that was noted.');
    else if (trusted === undefined) this.#flag('key', 'checkpoint', `None of the trusted keys is one of this log, ${this.#name}.`);
    const value = created === undefined ? undefined : this.#checkEntry(created, against, 'chain[0].created.');
    const raw = decodeHash(value?.key);
    const isCreated = value?.event === 'log_created' && value.seq === 0 && `inward-audit/${value.log}` === this.#name && raw !== undefined;
    if (created !== undefined && !isCreated)
      this.#flag('key', 'chain[0].created.record', 'The record must be log_created, of the log that the checkpoint names.');
    const own = isCreated ? createKey(this.#name, raw) : undefined;
    if (own !== undefined && trusted !== undefined && own.text !== trusted.text) {
      this.#flag('key', 'chain[0].created.record', `The first key of the log is not the trusted one: expected ${trusted.text}, found ${own.text}.`);
    }
    this.#key = own ?? trusted;
    this.#report.key = this.#key?.text;
  }

  async #followLink(link, i) {
    const field = `chain[${i}].`;
    const known = ['record', 'index', 'path', 'checkpoint', ...(i === 0 ? ['created'] : [])];
    for (const name of Object.keys(link)) if (!known.includes(name)) this.#flag('proof', `${field}${name}`, 'The field is unknown.');
    const checkpoint = parseCheckpoint(link.checkpoint);
    // That of the first link was refused already.
    if (checkpoint === undefined && i > 0) this.#readCheckpoint(link.checkpoint, `${field}checkpoint`);
    const value = this.#checkEntry(link, checkpoint, field);
    const raw = decodeHash(value?.key);
    const isRotation = value?.event === 'log_rotated' && value.segment === i + 2 && raw !== undefined;
    if (!isRotation) this.#flag('key', `${field}record`, `The record must be log_rotated, with segment ${i + 2} and its key.`);
    if (checkpoint !== undefined) {
      if (checkpoint.name !== this.#name) this.#flag('checkpoint', `${field}checkpoint`, 'The checkpoint is one of another log.');
      if (checkpoint.size <= (this.#ranges.at(-1)?.size ?? 0)) this.#flag('size', `${field}checkpoint`, 'The checkpoints of the chain must grow.');
      if (link.index !== checkpoint.size - 1) this.#flag('proof', `${field}index`, 'log_rotated must be the last record of its segment.');
      await this.#sign(checkpoint, this.#key, `${field}checkpoint`);
      this.#ranges.push({ size: checkpoint.size, key: this.#key });
    }
    this.#key = isRotation ? createKey(this.#name, raw) : undefined;
  }

  /** The record that is shown to be in the tree of a checkpoint, as a value. */
  #checkEntry(entry, checkpoint, field) {
    const { record, index, path } = isObject(entry) ? entry : {};
    const value = typeof record === 'string' && record.isWellFormed() ? parseCanonical(record) : undefined;
    if (value === undefined) this.#flag('record', `${field}record`, 'The record is no text of canonical JSON (RFC 8785).');
    if (!isCount(index) || (value !== undefined && value.seq !== index)) this.#flag('proof', `${field}index`, 'The index must be the `seq` of the record.');
    const hashes = this.#readPath(path, `${field}path`);
    if (value === undefined || !isCount(index) || hashes === undefined || checkpoint === undefined) return value;
    const bytes = encoder.encode(`\u0000${record}`);
    if (foldInclusion(hash(bytes), index, checkpoint.size, hashes) !== checkpoint.root) {
      this.#flag('proof', `${field}path`, `The path does not show that record ${index} is one of the ${checkpoint.size} of the checkpoint.`);
    }
    return value;
  }

  #readPath(path, field) {
    const hashes = Array.isArray(path) && path.length < 64 ? path.map(decodeHash) : [undefined];
    if (!hashes.includes(undefined)) return hashes;
    this.#flag('proof', field, 'A path must be a list of hashes in base64.');
    return undefined;
  }

  async #checkConsistency({ old, path }, checkpoint) {
    const before = this.#readCheckpoint(old, 'old');
    const hashes = this.#readPath(path, 'path');
    if (before === undefined) return;
    this.#report.oldSize = before.size;
    if (before.name !== this.#name) this.#flag('checkpoint', 'old', 'The older checkpoint is one of another log.');
    const range = this.#ranges.find(({ size }) => before.size <= size);
    if (range === undefined) this.#flag('size', 'old', `The older checkpoint has more records (${before.size}) than the other (${checkpoint.size}).`);
    else await this.#sign(before, range.key, 'old');
    if (range !== undefined && hashes !== undefined && !isConsistent(before, checkpoint, hashes)) {
      this.#flag('proof', 'path', `The path does not show that the ${checkpoint.size} records begin with the ${before.size} older ones.`);
    }
  }
}

const half = (number) => Math.floor(number / 2);

/** RFC 9162, section 2.1.3.2: the root in base64 that a path gives, or undefined. */
function foldInclusion(leaf, index, size, path) {
  if (index >= size) return undefined;
  let [first, second, root] = [index, size - 1, leaf];
  for (const node of path) {
    if (second === 0) return undefined;
    if (first % 2 === 1 || first === second) {
      root = hashPair(node, root);
      for (; first % 2 === 0 && first !== 0; second = half(second)) first = half(first);
    } else root = hashPair(root, node);
    [first, second] = [half(first), half(second)];
  }
  return second === 0 ? encodeBase64(root) : undefined;
}

/** RFC 9162, section 2.1.4.2. */
function isConsistent(old, checkpoint, path) {
  if (old.size === checkpoint.size) return path.length === 0 && old.root === checkpoint.root;
  if (old.size === 0) return path.length === 0 && old.root === encodeBase64(hash(new Uint8Array()));
  let [first, second] = [old.size - 1, checkpoint.size - 1];
  for (; first % 2 === 1; second = half(second)) first = half(first);
  const [start, ...nodes] = first === 0 ? [decodeBase64(old.root), ...path] : path;
  if (start === undefined) return false;
  let [before, after] = [start, start];
  for (const node of nodes) {
    if (second === 0) return false;
    if (first % 2 === 1 || first === second) {
      before = hashPair(node, before);
      after = hashPair(node, after);
      for (; first % 2 === 0 && first !== 0; second = half(second)) first = half(first);
    } else after = hashPair(after, node);
    [first, second] = [half(first), half(second)];
  }
  return second === 0 && encodeBase64(before) === old.root && encodeBase64(after) === checkpoint.root;
}

// What people read.

/** A report of a log or of a proof as lines of text. */
export function describeReport(report) {
  const isLog = report.counts !== undefined;
  const rows = isLog ? describeLog(report) : describeProof(report);
  const verdict = report.flawCount === 0 ? 'INTACT: every check passed.' : `DAMAGED: ${count(report.flawCount, 'flaw')}.`;
  const flaws = report.flaws.map(({ code, text, ...place }) => `  ${describePlace(place)}: ${text} [${code}]`);
  if (report.flawCount > flaws.length) flaws.push(`  ... and ${report.flawCount - flaws.length} more.`);
  return [...rows.map(([name, value]) => `${name.padEnd(13)}${value}`), verdict, ...flaws, ...report.unchecked.map((text) => `Not checked: ${text}`)];
}

function describePlace({ file, offset, seq }) {
  const parts = [file, ...(offset === undefined ? [] : [`byte ${offset}`]), ...(seq === undefined ? [] : [`record ${seq}`])];
  return parts.filter((part) => part !== '').join(', ') || 'what was given';
}

const describeTime = (time) => (time === undefined ? 'unknown' : new Date(time).toISOString());

function describeLog(report) {
  const events = Object.entries(report.counts).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ['log', report.log ?? 'unknown'],
    ['first key', report.key ?? 'unknown'],
    ['records', `${report.records}, of which ${report.purgedRecords} were purged`],
    ['segments', `${report.segments}, and ${report.purgedSegments} purged`],
    ['checkpoints', `${report.checkpoints}, with ${count(report.signatures, 'signature')} checked`],
    ['from', describeTime(report.firstTime)],
    ['to', describeTime(report.lastTime)],
    ['root', report.root ?? 'unknown'],
    ['open', `${count(report.open, 'request')} without an outcome`],
    ['gaps', `${report.gaps.length}${report.gaps.map(({ seq }) => `, record ${seq}`).join('')}`],
    ...events.map(([event, number]) => [`  ${number}`, event]),
  ];
}

function describeProof(report) {
  const shown = {
    inclusion: `record ${report.index} of ${report.size}`,
    consistency: `the first ${report.oldSize} of ${report.size} records`,
    incident: `${count(report.records ?? 0, 'record')} of ${report.size}`,
  };
  return [
    ['log', report.log ?? 'unknown'],
    ['first key', report.key ?? 'unknown'],
    ['proof', report.kind === undefined ? 'unknown' : `${report.kind}: ${shown[report.kind]}`],
    ...(report.record === undefined ? [] : [['record', report.record]]),
  ];
}

// As a program, in Node.

const usage = `Checks an audit log, or a proof from one, offline.

  node verify.mjs FOLDER [--key KEY]... [--witness FILE]... [--json]
  node verify.mjs PROOF.json [--key KEY]... [--json]

FOLDER is one log, or holds several in folders named 1, 2 ... KEY is the first key of a log as it was noted, or a file that has it.
FILE has checkpoints that a second place keeps. Exit code: 0 intact, 1 damaged, 2 wrong use.
`;

async function runProgram(args) {
  const { readFile, readdir, stat } = await import('node:fs/promises');
  if (args.includes('--help')) return print(usage, 0);
  const wanted = { keys: [], checkpoints: [], paths: [], isJson: false };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--json') wanted.isJson = true;
    else if (args[i] === '--key' && args[i + 1]) {
      const key = parseKey(args[++i]) ?? parseKey(await readFile(args[i], 'utf8'));
      if (key === undefined) return print(`${args[i]} has no key: expected <name>+<hash>+<base64>, or a file that has it.\n`, 2);
      wanted.keys.push(key.text);
    } else if (args[i] === '--witness' && args[i + 1]) wanted.checkpoints.push(await readFile(args[++i], 'utf8'));
    else if (args[i].startsWith('--')) return print(`${args[i]} is no option, or lacks its value.\n${usage}`, 2);
    else wanted.paths.push(args[i]);
  }
  const [path] = wanted.paths;
  if (wanted.paths.length !== 1) return print(usage, 2);
  const isFolder = (await stat(path)).isDirectory();
  const reports = isFolder ? await verifyFolders(path, wanted, await readdir(path)) : [await verifyProof(await readFile(path, 'utf8'), wanted)];
  const text = wanted.isJson
    ? JSON.stringify(isFolder ? reports : reports[0], undefined, 2)
    : reports.map((report) => describeReport(report).join('\n')).join('\n\n');
  return print(`${text}\n`, reports.some(({ flawCount }) => flawCount > 0) ? 1 : 0);
}

/** One report a log. Each takes the keys and checkpoints that name it; what names none of them is a flaw of the first. */
async function verifyFolders(path, wanted, names) {
  const numbers = names.filter((name) => /^[1-9][0-9]*$/.test(name)).sort((a, b) => a - b);
  if (names.some((name) => segmentForm.test(name)) || numbers.length === 0) return [await verifyLog(await openFolder(path), wanted)];
  const reports = [];
  for (const number of numbers) {
    const source = await openFolder(`${path}/${number}`);
    reports.push({ folder: number, ...(await verifyLog(source, { ...wanted, isOneOfSeveral: numbers.length > 1 })) });
  }
  const found = reports.map(({ log }) => `inward-audit/${log}`);
  const given = [...wanted.keys, ...wanted.checkpoints.flatMap(splitCheckpoints)].map((text) => /^inward-audit\/[0-9a-f]{32}/.exec(text)?.[0]);
  for (const name of new Set(given)) {
    if (name === undefined || found.includes(name) || numbers.length === 1) continue;
    reports[0].flawCount++;
    reports[0].flaws.push({ code: 'missing', file: '', text: `No folder has the log of a key or of a witness that was given: ${name}.` });
  }
  return reports;
}

/** A folder as a source of `verifyLog`; for Node only. */
export async function openFolder(path) {
  const { open, readdir, readFile, stat } = await import('node:fs/promises');
  return {
    names: await readdir(path),
    list: () => readdir(path),
    read: (name) => readFile(`${path}/${name}`),
    size: async (name) => (await stat(`${path}/${name}`)).size,
    async part(name, start, end) {
      const file = await open(`${path}/${name}`);
      try {
        const { buffer, bytesRead } = await file.read(new Uint8Array(end - start), 0, end - start, start);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
}

function print(text, code) {
  process[code === 2 ? 'stderr' : 'stdout'].write(text);
  process.exitCode = code;
}

// Node before 24.2 has no `main`; a page of a browser has neither.
if (import.meta.main ?? (typeof process === 'object' && import.meta.filename === process.argv[1])) {
  await runProgram(process.argv.slice(2)).catch((error) => print(`${error.message}\n`, 2));
}
