/**
 * Owns a device that computes nothing but keeps books: it carries a batch out word by word as the kernels would, on a
 * KV pool of ids, and complains about whatever a kernel would silently get wrong. The next token of its model is a
 * hash of all ids that attention would see, so that a lost, repeated or foreign one changes everything after it. An encoder's vector is that hash.
 */
import { noId } from '../../../kernels/sample.ts';
import type { InwardError } from '../../../runtime/errors.ts';
import { Batch, type BatchLimits, itemLength } from '../../../runtime/scheduling/batch.ts';
import { BlockPool } from '../../../runtime/scheduling/blocks.ts';
import { Scheduler, type SchedulerLimits } from '../../../runtime/scheduling/scheduler.ts';
import { Sequence, type SequenceSink } from '../../../runtime/scheduling/sequence.ts';
import { noBlock } from '../../../runtime/scheduling/window.ts';
import type { BlockId, GenerateRequest, TokenEvent, TokenId } from '../../../runtime/types.ts';

export const vocabularySize = 64;
/** An id whose rows are broken, and all that see it. The model never says it. */
export const poison = 64;

export function hashOf(ids: Iterable<number>): number {
  let hash = 2166136261;
  for (const id of ids) hash = Math.imul(hash ^ (id + 1), 16777619) >>> 0;
  return hash;
}

/** What the model says after these ids: mostly what followed when the last one stood there before, so that texts repeat themselves. */
function nextToken(ids: readonly number[]): number {
  const hash = hashOf(ids);
  const said = ids.lastIndexOf(ids.at(-1) ?? 0, -2);
  if (said >= 0 && hash % 5 !== 0) return ids[said + 1] ?? 0;
  return ((hash ^ (hash >>> 13)) >>> 0) % vocabularySize;
}

/** What a sequence gets alone on an endless device; `window`: ids that the model sees, the last ones. */
export function expectedTokens({ promptIds, maxTokens, stopIds = [] }: GenerateRequest, contextLength: number, window: number = contextLength): number[] {
  const ids = [...promptIds];
  const tokens: number[] = [];
  while (tokens.length < Math.min(maxTokens, contextLength - promptIds.length)) {
    const id = nextToken(ids.slice(-window));
    ids.push(id);
    tokens.push(id);
    if ((stopIds as readonly number[]).includes(id)) break;
  }
  return tokens;
}

/** Without those that were given back behind its window. */
const ownedBlocks = ({ blocks }: Sequence): BlockId[] => blocks.filter((block) => block !== noBlock);

/** As two numbers that an f32 has exactly. */
export function splitHash(hash: number): [number, number] {
  return [hash % 2 ** 16, hash / 2 ** 16 - ((hash / 2 ** 16) % 1)];
}

export interface Client {
  readonly request: GenerateRequest;
  readonly sequence: Sequence;
  readonly events: TokenEvent[];
  error?: InwardError;
}

/** `depth`: steps that may be under way; what the device computes of each is told when it is the oldest. */
export type World = SchedulerLimits &
  Pick<BatchLimits, 'contextLength' | 'maxLogitRows' | 'blockCount'> & { readonly maxEdits?: number; readonly depth?: number };

export class Simulation {
  readonly world: World;
  readonly pool: BlockPool;
  readonly scheduler: Scheduler;
  /** Of the last step. */
  batch: Batch;
  readonly #free: Batch[];
  readonly #underWay: { readonly batch: Batch; readonly ids: Uint32Array; readonly seen: readonly number[]; readonly texts: readonly (readonly number[])[] }[] =
    [];
  readonly clients: Client[] = [];
  /** id + 1 in every slot; 0 is zeroed. */
  readonly kv: Uint32Array;
  /** Tenant + 1 whose keys and values a slot holds. */
  readonly #tenants: Uint32Array;
  /** Of what each row of the last step saw. */
  readonly #seen: number[] = [];
  /** Ids that each block of recurrent state has seen, where the world has such state. */
  readonly #states: number[][];
  /** Ids that each row of the last step saw. */
  readonly #texts: number[][] = [];
  /** By position, the id behind each token that the layer which foresees was told of. */
  readonly #told = new WeakMap<Sequence, number[]>();
  /** Slots that hold a guess, which may be overwritten. */
  readonly #guesses = new Set<number>();
  steps = 0;
  copies = 0;
  /** The most blocks that a sequence had in any step. */
  mostBlocks = 0;
  /** Clients whose sequences had blocks in the last step. */
  #holders: readonly Client[] = [];
  /** The scheduler's clock, in ms. */
  now = 0;

  constructor(world: World) {
    this.world = world;
    this.pool = new BlockPool(world.blockCount);
    this.scheduler = new Scheduler(world, this.pool, () => this.now);
    const limits = { ...world, maxTokens: world.tokenBudget, maxEdits: world.maxEdits ?? vocabularySize };
    this.#free = Array.from({ length: world.depth ?? 1 }, () => new Batch(limits));
    this.batch = this.#free[0] as Batch;
    this.kv = new Uint32Array(world.blockCount * world.blockLength);
    this.#tenants = new Uint32Array(this.kv.length);
    this.#states = Array.from({ length: world.states?.total ?? 0 }, () => []);
  }

  /** Throws what the scheduler throws. */
  add(request: GenerateRequest): Client {
    const events: TokenEvent[] = [];
    let client: Client | undefined;
    const sink: SequenceSink = {
      event: (event) => events.push(event),
      fail: (error) => {
        if (client !== undefined) client.error = error;
      },
    };
    const made: Client = { request, sequence: new Sequence(request, this.world.contextLength, sink, this.now), events };
    client = made;
    this.scheduler.add(made.sequence);
    this.clients.push(made);
    return made;
  }

  /** One turn of the engine. False: it would go to sleep. */
  step(): boolean {
    const batch = this.#free.pop() as Batch;
    this.batch = batch;
    this.scheduler.schedule(batch, this.world.depth);
    if (batch.isEmpty) {
      this.#free.push(batch);
      if (this.#underWay.length === 0) return false;
    } else {
      this.steps++;
      const ids = this.#compute();
      this.#tell(ids);
      this.#underWay.push({ batch, ids, seen: [...this.#seen], texts: [...this.#texts] });
    }
    if (batch.isEmpty || this.#free.length === 0) this.#end();
    return true;
  }

  /** Of the oldest step. */
  #end(): void {
    const step = this.#underWay.shift();
    if (step === undefined) throw new Error('no step is under way');
    const { batch, ids, seen, texts } = step;
    const { tokens, logitRows } = batch.counts;
    // A device that takes a fixed time, and more for each token; prompts are cheaper.
    if (tokens > 0) this.scheduler.pace.observe(tokens - logitRows, logitRows, 8 + 0.25 * (tokens - logitRows) + logitRows);
    this.scheduler.commit(batch, {
      isBroken: (row) => ids[row] === noId,
      id: (row) => (ids[row] ?? 0) as TokenId,
      foreseen: (row) => foresee(texts[row] ?? [], ids[row] ?? 0),
      logits: (row) => new Float32Array(this.world.isEncoder ? splitHash(ids[row] === noId ? Number.NaN : (seen[row] ?? 0)) : [row]),
      logprobs: (row) => ({ logprob: -(seen[row] ?? 0) - (batch.words[(batch.layout['BATCH_TARGETS'] ?? Number.NaN) + row] ?? 0), top: [] }),
    });
    this.#checkTold(batch);
    for (const sequence of batch.sequences)
      for (let position = 0; position < sequence.computed && !sequence.hasEnded; position++) this.#guesses.delete(this.#slotOf(sequence.blocks, position));
    this.#free.push(batch);
  }

  /** Ends all steps that are under way. */
  settle(): void {
    while (this.#underWay.length > 0) this.#end();
  }

  /** Whether the engine would go on. */
  get hasWork(): boolean {
    return this.#underWay.length > 0 || this.scheduler.hasWork;
  }

  /** Steps until everything has ended; throws when the engine would sleep before that, or needs more than `limit` steps. */
  drain(limit: number): void {
    for (let turn = 0; this.hasWork; turn++) {
      if (turn > limit) throw new Error(`not done after ${limit} steps`);
      if (!this.step() && this.hasWork) throw new Error('the engine sleeps although there is work');
    }
  }

  /** A section of the uploaded words. */
  section(name: string): Uint32Array {
    return this.batch.words.subarray(this.batch.layout[`BATCH_${name}`] ?? Number.NaN);
  }

  #compute(): Uint32Array {
    const { batch, kv, world } = this;
    const { blockLength } = world;
    this.#checkLimits();
    const words = batch.seal();
    const [tokens = 0, rows = 0, items = 0, clears = 0, copies = 0] = words;
    for (const block of this.section('CLEARS').subarray(0, clears)) {
      kv.fill(0, block * blockLength, (block + 1) * blockLength);
      for (let slot = 0; slot < blockLength; slot++) this.#guesses.delete(block * blockLength + slot);
    }
    this.#copyBlocks(copies);
    this.#goOn();
    this.copies += copies;
    this.#checkOwners();
    this.#checkDepartures();
    for (const { sequence } of this.clients) this.mostBlocks = Math.max(this.mostBlocks, ownedBlocks(sequence).length);
    const sequenceOf = (token: number) => batch.sequences[this.section('ROWS')[token] ?? 0] as Sequence;
    const tableOf = (token: number) => this.section('TABLES').subarray((this.section('ROWS')[token] ?? 0) * (batch.layout['TABLE_LENGTH'] ?? 0));
    for (let token = 0; token < tokens; token++) {
      const slot = this.section('SLOTS')[token] ?? 0;
      const position = this.section('POSITIONS')[token] ?? 0;
      const sequence = sequenceOf(token);
      if (slot !== this.#slotOf(tableOf(token), position)) throw new Error('slot and block table disagree');
      if (kv[slot] !== 0 && !this.#guesses.has(slot)) throw new Error('a token is stored into a slot that was not zeroed');
      if (position >= sequence.length) this.#guesses.add(slot);
      kv[slot] = (this.section('IDS')[token] ?? 0) + 1;
      this.#tenants[slot] = sequence.tenant + 1;
    }
    this.#checkItems(tokens, items);
    return Uint32Array.from({ length: rows }, (_, row) => {
      const token = this.section('LOGIT_TOKENS')[row] ?? 0;
      const length = (this.section('POSITIONS')[token] ?? 0) + 1;
      const first = Math.max(0, length - (this.world.window ?? length));
      const ids = Array.from({ length: length - first }, (_, i) => {
        const slot = this.#slotOf(tableOf(token), first + i);
        if (this.#tenants[slot] !== sequenceOf(token).tenant + 1) throw new Error('a sequence sees what another tenant has stored');
        return (kv[slot] ?? 0) - 1;
      });
      this.#checkEdits(row, ids);
      this.#seen[row] = hashOf(ids);
      this.#texts[row] = ids;
      return ids.includes(poison) ? noId : nextToken(ids);
    });
  }

  /** What the layer that foresees is told of this step's tokens. */
  #tell(chosen: Uint32Array): void {
    if (!this.world.foresees) return;
    for (let token = 0; token < this.batch.counts.tokens; token++) {
      const sequence = this.batch.sequences[this.section('ROWS')[token] ?? 0] as Sequence;
      const next = this.section('NEXT_IDS')[token] ?? 0;
      const row = next - 2 ** 31;
      if (row >= 0 && this.section('LOGIT_TOKENS')[row] !== token) throw new Error('the id behind a token is that of another row');
      const told = this.#told.get(sequence) ?? [];
      told[this.section('POSITIONS')[token] ?? 0] = (row >= 0 ? chosen[row] : next) ?? 0;
      this.#told.set(sequence, told);
    }
  }

  /** Once it is known which guesses were right: behind each token that counts as computed stands the one that was told. */
  #checkTold(batch: Batch): void {
    for (const sequence of batch.sequences) {
      const told = this.#told.get(sequence) ?? [];
      // What a step under way chooses is not known yet.
      const known = Math.min(sequence.computed, sequence.length - 1);
      for (let position = 0; position < known && !sequence.hasEnded && !sequence.aborted; position++)
        if (told[position] !== undefined && told[position] !== sequence.ids[position + 1]) throw new Error('another token was told of than came');
    }
  }

  /** The state of each sequence takes in its tokens of this step, in place of guesses that were wrong: as many as may be guessed. */
  #goOn(): void {
    const { states } = this.world;
    const { counts, sequences } = this.batch;
    if (states === undefined) return;
    for (const block of this.section('STATE_CLEARS').subarray(0, counts.stateClears)) this.#states[block] = [];
    for (const block of states.freeBlocks) if (this.#states[block]?.length !== 0) throw new Error('a free state holds data');
    if (counts.sequences !== sequences.length) throw new Error('sequences are not counted');
    for (const [i, sequence] of sequences.entries()) {
      const word = this.section('STATES')[i] ?? 0;
      const [first = 0, end = 0] = this.section('RUNS').subarray(i, i + 2);
      const seen = this.#states[word % 2 ** 31];
      const isNew = word >= 2 ** 31;
      if (seen === undefined || word % 2 ** 31 !== sequence.state) throw new Error('a sequence has no state, or another one');
      if (isNew && seen.length > 0) throw new Error('a sequence begins with a state that was not zeroed');
      const wrong = seen.length - (this.section('POSITIONS')[first] ?? 0);
      if (!isNew && wrong > 0 && wrong <= (this.world.draftLength ?? 0)) seen.length -= wrong;
      if (seen.length !== this.section('POSITIONS')[first] || isNew !== (seen.length === 0)) throw new Error('a state does not stand where its sequence does');
      seen.push(...this.section('IDS').subarray(first, end));
      if (seen.some((id, position) => id !== sequence.ids[position])) throw new Error('a state has seen other tokens than its sequence');
    }
    const owned = this.clients.flatMap(({ sequence }) => sequence.state ?? []);
    if (new Set(owned).size !== owned.length || owned.length + states.freeCount + states.dirtyCount !== states.total)
      throw new Error('states were lost or shared');
  }

  /** Copies go from blocks that hold something to zeroed ones that one sequence has for itself. */
  #copyBlocks(copies: number): void {
    const { kv, clients } = this;
    const { blockLength } = this.world;
    const before = kv.slice();
    for (let copy = 0; copy < copies; copy++) {
      const [from = 0, to = 0, slots = 0] = ['COPY_FROMS', 'COPY_TOS', 'COPY_SLOTS'].map((name) => this.section(name)[copy]);
      const source = before.subarray(from * blockLength, from * blockLength + slots);
      if (slots < 1 || slots > blockLength || source.includes(0)) throw new Error('slots are copied that hold nothing');
      if (kv.subarray(to * blockLength, (to + 1) * blockLength).some((slot) => slot !== 0)) throw new Error('a block is copied to one that was not zeroed');
      const owners = clients.filter(({ sequence }) => (sequence.blocks as readonly number[]).includes(to));
      if (owners.length !== 1) throw new Error('a block is copied to one that no sequence has for itself');
      kv.set(source, to * blockLength);
      this.#tenants.copyWithin(to * blockLength, from * blockLength, from * blockLength + slots);
    }
  }

  #slotOf(table: ArrayLike<number>, position: number): number {
    const { blockLength } = this.world;
    return (table[Math.floor(position / blockLength)] ?? 0) * blockLength + (position % blockLength);
  }

  /** The edits of a row count the tokens that attention sees, however the sequence got here. */
  #checkEdits(row: number, ids: readonly number[]): void {
    const sequence = this.batch.rowSequences[row];
    if (sequence?.edits === undefined || ids.length !== sequence.length) return;
    const { sampling, promptLength } = sequence;
    const answer = ids.slice(promptLength);
    const seen = new Set(sampling.repetitionPenalty === 1 ? answer : ids);
    const floats = new Float32Array(this.batch.words.buffer);
    const [start = 0, end = 0] = this.section('EDIT_STARTS').subarray(row, row + 2);
    const first = this.batch.layout['BATCH_EDITS'] ?? Number.NaN;
    for (let at = first + start * 4; at < first + end * 4; at += 4) {
      const id = this.batch.words[at] ?? 0;
      const count = answer.filter((other) => other === id).length;
      const expected = [sampling.repetitionPenalty, count > 0 ? sampling.presencePenalty + sampling.frequencyPenalty * count : 0].map(Math.fround);
      if (!seen.delete(id) || floats[at + 2] !== expected[0] || floats[at + 3] !== expected[1]) throw new Error('an edit is wrong');
    }
    if (seen.size > 0) throw new Error('an edit is missing');
  }

  #checkLimits(): void {
    const { counts, sequences } = this.batch;
    if (counts.tokens > this.world.tokenBudget) throw new Error('token budget passed');
    if (counts.logitRows > this.world.maxLogitRows) throw new Error('logit rows passed');
    if (counts.items > this.batch.maxItems) throw new Error('items passed');
    if (sequences.length > this.world.maxSequences || new Set(sequences).size !== sequences.length) throw new Error('sequences passed or doubled');
  }

  /** Each block is free, freed, kept, or has as many owners as the pool says; a free one is zeroed. */
  #checkOwners(): void {
    const { pool, scheduler, world } = this;
    const owners = new Uint32Array(world.blockCount);
    for (const block of [...this.clients.flatMap(({ sequence }) => ownedBlocks(sequence)), ...scheduler.shares]) owners[block] = (owners[block] ?? 0) + 1;
    if (owners.some((count, block) => count !== pool.ownersOf(block as BlockId))) throw new Error('a block has other owners than the pool says');
    const owned = owners.filter((count) => count > 0).length;
    if (owned + pool.freeCount + pool.dirtyCount + pool.idleCount !== world.blockCount) throw new Error('blocks were lost or multiplied');
    for (const block of pool.freeBlocks)
      if (this.kv.subarray(block * world.blockLength, (block + 1) * world.blockLength).some((slot) => slot !== 0)) throw new Error('a free block holds data');
  }

  /** Whoever has lost its blocks since the last step has left something behind in scratch. */
  #checkDepartures(): void {
    if (!this.batch.hasDeparted && this.#holders.some(({ sequence }) => sequence.blocks.length === 0))
      throw new Error('scratch keeps what a sequence has left');
    this.#holders = this.clients.filter(({ sequence }) => sequence.blocks.length > 0);
  }

  /** The items of each token cover what it sees, once, cut as its position alone says, or the length of its text. */
  #checkItems(tokens: number, items: number): void {
    for (let token = 0; token < tokens; token++) {
      const sequence = this.batch.sequences[this.section('ROWS')[token] ?? 0];
      const length = this.world.isEncoder ? (sequence?.length ?? 0) : (this.section('POSITIONS')[token] ?? 0) + 1;
      let covered = 0;
      for (let item = this.section('TOKEN_ITEMS')[token] ?? 0; item < (this.section('TOKEN_ITEMS')[token + 1] ?? 0); item++) {
        const end = Math.min(length, covered + itemLength(length, this.world.blockLength));
        const isRight =
          item < items &&
          this.section('ITEM_TOKENS')[item] === token &&
          this.section('ITEM_STARTS')[item] === covered &&
          this.section('ITEM_ENDS')[item] === end;
        if (!isRight) throw new Error('an attention item is wrong');
        covered = end;
      }
      if (covered !== length) throw new Error('attention does not see the whole sequence');
    }
  }
}

/** What is expected behind a text and the token chosen: right two times of three; nothing where logits are broken. */
function foresee(ids: readonly number[], chosen: number): TokenId | undefined {
  const text = [...ids, chosen];
  return text.length % 7 === 0 ? undefined : (((nextToken(text) + Number(text.length % 3 === 0)) % vocabularySize) as TokenId);
}
