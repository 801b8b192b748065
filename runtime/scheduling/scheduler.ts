/**
 * Owns what a step computes: continuous batching, chunked prefill under a token budget, admission, deadlines,
 * preemption by recompute, guessed tokens, and what a result means for a sequence. Whose turn it is: fair.ts; whose blocks can
 * be used again: prefix.ts, groups.ts. Pure and synchronous: no GPU, no I/O, and time only through the clock that it is given.
 */

import { InwardError, toInwardError } from '../errors.ts';
import type { Matcher } from '../grammar/matcher.ts';
import type { RowResults } from '../results.ts';
import { type BlockId, type FinishReason, priorities, type TenantStats, type TokenId, type TokenLogprobs } from '../types.ts';
import type { Batch } from './batch.ts';
import type { BlockPool } from './blocks.ts';
import { Drafts, ForeseenDrafts, type Guesses } from './drafts.ts';
import { FairQueue, generatedWeight } from './fair.ts';
import { PromptGroups, type SharedPrompt } from './groups.ts';
import { Pace } from './pace.ts';
import { PrefixCache, type PrefixLimits } from './prefix.ts';
import { isLong, type Sequence } from './sequence.ts';
import { blocksBehind, blocksHeld, noBlock } from './window.ts';

export interface SchedulerLimits {
  readonly maxSequences: number;
  readonly queueLength: number;
  readonly tokenBudget: number;
  readonly blockLength: number;
  /** Tokens guessed for a sequence in one step at most: no more than the model's caches go back (`mostGuesses`). */
  readonly draftLength?: number;
  /** Guesses are the model's own (ModelShape). */
  readonly foresees?: boolean | undefined;
  /** Of the prefix cache; without it nothing is kept. */
  readonly prefix?: Omit<PrefixLimits, 'blockLength'>;
  /** Positions that a token sees in any layer; blocks behind them are given back. Then no prompt's blocks are used again: their beginning may be gone. Without it a token sees all. */
  readonly window?: number | undefined;
  /** See ModelShape. */
  readonly longFrom?: number | undefined;
  /**
   * Blocks of recurrent state, one for each sequence that runs. What a sequence has computed is then not used again: a state holds all tokens up to
   * one of them, and is no beginning of another text.
   */
  readonly states?: BlockPool | undefined;
  /** A sequence is computed as a whole in one step, which ends it: what comes of its row is its embedding. Nothing of it is used again. */
  readonly isEncoder?: boolean;
}

/**
 * A step with prompts beside answers takes at most so many times what answers to all that are here would, so that nobody's answer stalls. Not of
 * the answers that there are: those who come together would otherwise begin one after the other, in small steps.
 */
const mixedStretch = 2;
/** Fewer prompt tokens than these are not worth a step's fixed time. */
const leastChunk = 8;
/** Tokens that are taken without a step at once, so that no answer keeps the others waiting. */
const mostForced = 64;
/** Times that a sequence gives way to more urgent ones. */
const yieldLimit = 2;

interface TokenCounts {
  promptTokens: number;
  generatedTokens: number;
}

export class Scheduler {
  readonly #limits: SchedulerLimits;
  readonly #pool: BlockPool;
  readonly #now: () => number;
  readonly #waiting = new FairQueue();
  /** In order of admission: the newest is last, and the first to be preempted. */
  readonly #running: Sequence[] = [];
  readonly #groups: PromptGroups;
  readonly cache: PrefixCache;
  readonly pace: Pace;
  /** What this step copies from; it must not be zeroed before. */
  readonly #copied: BlockId[] = [];
  #nextExpiry = Number.POSITIVE_INFINITY;
  /** A sequence has given its blocks back since the last batch. */
  #hasDeparted = false;
  #preemptions = 0;
  #promptTokens = 0;
  #generatedTokens = 0;
  readonly #tenants = new Map<number, TokenCounts>();
  #drafted = 0;
  #accepted = 0;
  #forced = 0;

  /** `now`: the clock of the sequences' deadlines, in ms. */
  constructor(limits: SchedulerLimits, pool: BlockPool, now: () => number = () => performance.now(), pace: Pace = new Pace()) {
    this.#limits = limits;
    this.#pool = pool;
    this.#now = now;
    this.pace = pace;
    this.#groups = new PromptGroups(pool, limits.blockLength);
    const kept = this.#isShared ? limits.prefix : undefined;
    this.cache = new PrefixCache({ quota: 0, reserve: 0, timeToLiveMs: 0, ...kept, blockLength: limits.blockLength }, pool);
  }

  /** Whether the blocks of one sequence can be the beginning of another. */
  get #isShared(): boolean {
    const { window, states, isEncoder = false } = this.#limits;
    return window === undefined && states === undefined && !isEncoder;
  }

  get runningCount(): number {
    return this.#running.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Sequences whose readers are behind. */
  get parkedCount(): number {
    return this.#all.filter(({ isParked }) => isParked).length;
  }

  /** When something has to be done even if nothing arrives: the earliest deadline, or blocks of the cache that are kept no longer. On the clock's scale; Infinity if never. */
  get nextDeadline(): number {
    return this.#all.reduce((earliest, { deadline }) => Math.min(earliest, deadline), this.#nextExpiry);
  }

  get #all(): Sequence[] {
    return [...this.#waiting, ...this.#running];
  }

  /** Times a sequence had to give its blocks back and start over. */
  get preemptionCount(): number {
    return this.#preemptions;
  }

  /** Prompt tokens put into batches; those of a preempted sequence count again. */
  get promptTokenCount(): number {
    return this.#promptTokens;
  }

  /** Tokens that sequences have gained. */
  get generatedTokenCount(): number {
    return this.#generatedTokens;
  }

  /** Tokens that were guessed, and those of them that were drawn. */
  get draftCounts(): { readonly drafted: number; readonly accepted: number } {
    return { drafted: this.#drafted, accepted: this.#accepted };
  }

  /** Tokens that a grammar left no choice of. */
  get forcedTokenCount(): number {
    return this.#forced;
  }

  /** What each tenant has and had, in the order in which they came. */
  get tenants(): readonly TenantStats[] {
    const present = (sequences: Iterable<Sequence>): Map<number, number> => {
      const counts = new Map<number, number>();
      for (const { tenant } of sequences) counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
      return counts;
    };
    const [running, waiting] = [present(this.#running), present(this.#waiting)];
    return [...this.#tenants].map(([tenant, counts]) => {
      const { queries, hits, evicted } = this.cache.countsOf(tenant);
      return {
        ...{ tenant, running: running.get(tenant) ?? 0, waiting: waiting.get(tenant) ?? 0, ...counts },
        ...{ prefixQueries: queries, prefixHits: hits, cachedBlocks: this.cache.idleOf(tenant), evictedBlocks: evicted },
      };
    });
  }

  /** Blocks of which something other than a sequence's table holds a share, one entry a share: for those who check. */
  get shares(): readonly BlockId[] {
    return [...this.#groups.shares, ...this.#copied, ...this.#running.flatMap(({ original }) => original?.block ?? [])];
  }

  /** Whether a step would do anything (zeroing freed blocks counts). */
  get hasWork(): boolean {
    return (
      this.#running.length > 0 ||
      this.#waiting.length > 0 ||
      this.#pool.dirtyCount > 0 ||
      this.#hasDeparted ||
      this.#copied.length > 0 ||
      this.#nextExpiry <= this.#now()
    );
  }

  /** When whoever comes last of all may expect its turn: after all that is here, at the pace of the last steps, in ms. 0 where it would be at once, or nothing is known yet. */
  get estimatedWaitMs(): number {
    return this.#waitMs(this.#waiting);
  }

  /** The same behind these alone, and what runs. */
  #waitMs(ahead: Iterable<Sequence>): number {
    const { maxSequences } = this.#limits;
    if (this.#waiting.length === 0 && this.#running.length < maxSequences) return 0;
    let [prompts, answers] = [0, 0];
    for (const { pending, generated, maxTokens } of [...this.#running, ...ahead]) {
      prompts += pending > 1 ? pending : 0;
      answers += this.pace.restOf(generated, maxTokens);
    }
    return this.pace.workMs(prompts, answers, maxSequences);
  }

  /** Throws queue_full, deadline_unreachable, and invalid_request for a group of different prompts. */
  add(sequence: Sequence): void {
    const { maxSequences, queueLength } = this.#limits;
    const waitMs = this.#waitMs(this.#waiting.ahead(sequence));
    if (this.#isBeyond(sequence, waitMs, sequence.deadlineMs)) throw unreachable(sequence, waitMs);
    const isFull = this.#running.length + this.#waiting.length >= maxSequences + queueLength;
    const full = new InwardError('queue_full', { limit: maxSequences + queueLength, waitMs: Math.ceil(waitMs) });
    // No tenant can fill the queue so that others find no place.
    const displaced = isFull ? this.#waiting.displaceable(sequence.tenant) : undefined;
    if (isFull && displaced === undefined) throw full;
    if (this.#isShared) this.#groups.join(sequence);
    if (displaced !== undefined) {
      fail(displaced, full);
      this.#leave(displaced);
    }
    this.#countsOf(sequence);
    this.#waiting.add(sequence);
  }

  /**
   * Fills the batch. It stays empty only if nothing can change before a sequence arrives or is aborted, or a step under way is committed. Up to `depth`
   * steps may be under way, of which the device computes one after the other: each takes its part of the sequences that decode, and prompts go on
   * before what they had in the last one is committed.
   */
  schedule(batch: Batch, depth: number = 1): void {
    this.#fill(batch, depth);
    // Preemption may have taken place before anything found room: the blocks are there now.
    if (batch.isEmpty && this.#pool.dirtyCount > 0) this.#fill(batch, depth);
    for (const sequence of batch.sequences) sequence.underWay++;
    // A step that only zeroes belongs to nobody: what it leaves in scratch goes as well, also where no sequence has left but a prefix is kept no longer.
    batch.hasDeparted = this.#hasDeparted || (batch.counts.tokens === 0 && batch.counts.clears > 0);
    this.#hasDeparted = false;
  }

  /** Advances the sequences of the oldest step under way, which has run. */
  commit(batch: Batch, results: RowResults): void {
    for (const sequence of batch.sequences) sequence.underWay--;
    for (let row = 0; row < batch.counts.logitRows; row++) {
      const sequence = batch.rowSequences[row];
      const position = batch.rowPositions[row] ?? 0;
      if (sequence === undefined || sequence.aborted || sequence.hasEnded) continue;
      const isChoice = position >= sequence.promptLength - 1;
      // What stands behind a wrong guess is nobody's.
      if (isChoice && position !== sequence.computed - 1) continue;
      if (results.isBroken(row)) this.#break(sequence);
      else if (this.#limits.isEncoder) this.#finishText(sequence, results.logits(row));
      else if (!isChoice) {
        sequence.reported = position + 1;
        sequence.sink.event({ type: 'prompt', position, ...details(results, row, sequence.logits === 'all', sequence.promptLogprobs) });
      } else this.#append(sequence, row, results);
    }
    for (const sequence of batch.sequences) {
      if (sequence.hasEnded || sequence.aborted) continue;
      this.#offer(sequence);
      this.#trim(sequence);
    }
  }

  #offer({ chain, ids, blocks, computed }: Sequence): void {
    if (chain !== undefined) this.cache.offer(chain, ids, blocks, computed, this.#now());
  }

  /** Ends every sequence with an error (device lost, shutdown). */
  failAll(error: InwardError): void {
    for (const sequence of this.#all) fail(sequence, error);
    this.#dropAborted();
  }

  /** Forgets kept prefixes, of one tenant or of all; the next step zeroes them. Gives how many blocks that were. */
  flush(tenant?: number): number {
    return this.cache.flush(tenant);
  }

  /** Aborted and late sequences leave first, so that their blocks are zeroed by this very step. */
  #fill(batch: Batch, depth: number): void {
    batch.reset();
    this.#failLate();
    this.#dropAborted();
    this.#nextExpiry = this.cache.expire(this.#now());
    this.#groups.publish();
    this.#pool.give(this.#copied.splice(0));
    this.#clean(batch);
    this.#makeWay(batch);
    let budget = this.#limits.tokenBudget;
    // Rows that are left when each sequence has one that runs or could.
    const { maxSequences } = this.#limits;
    let spare = Math.min(budget, batch.limits.maxLogitRows) - Math.min(maxSequences, this.#running.length + this.#waiting.length);
    const most = depth === 1 ? maxSequences : Math.ceil(this.#running.length / depth);
    // Decoding sequences first: a long prompt must not make others wait.
    for (const sequence of [...this.#running]) {
      if (sequence.pending !== 1 || budget <= 0 || batch.sequences.length >= most) continue;
      const guessed = this.#guess(sequence, Math.min(spare, budget - 1), batch.counts.logitRows);
      const placed = this.#place(batch, sequence, 1, guessed);
      budget -= placed;
      spare -= Math.max(0, placed - 1);
    }
    budget = Math.min(budget, this.#promptRoom(batch.counts.logitRows));
    for (const priority of priorities)
      for (const sequence of [...this.#running]) {
        if (sequence.priority === priority && sequence.pending > 1 && budget > 0) budget -= this.#place(batch, sequence, budget);
      }
    while (budget > 0 && this.#running.length < maxSequences) {
      const sequence = this.#admit();
      if (sequence === undefined) break;
      budget -= this.#place(batch, sequence, budget);
      // What it was promised was not there after all: not again in this step.
      if (sequence.blocks.length === 0) break;
    }
  }

  /** Prompt tokens that a step may take beside so many choices. */
  #promptRoom(choices: number): number {
    const { maxSequences, tokenBudget, isEncoder = false } = this.#limits;
    if (choices === 0 || isEncoder) return Number.POSITIVE_INFINITY;
    const most = Math.min(maxSequences, this.#running.length + this.#waiting.length);
    const room = this.pace.isKnown ? this.pace.room(choices, most, mixedStretch) : tokenBudget / 4;
    // Whole tiles of tokens.
    return Math.max(leastChunk, Math.floor(room / leastChunk) * leastChunk);
  }

  /** Guesses as many tokens as are expected to be worth what they cost: the next one is if the step gains more by it than it does on average. */
  #guess(sequence: Sequence, most: number, choices: number): number {
    const tokensLeft = sequence.promptLength + sequence.maxTokens - sequence.length - 1;
    const asked = Math.min(most, this.#limits.draftLength ?? 0, tokensLeft);
    // Edits and masks change with each token that is drawn.
    if (asked <= 0 || !this.pace.isKnown || sequence.edits !== undefined || sequence.allowed !== undefined || sequence.isParked) return 0;
    const room = Math.min(asked, this.#slotsBehind(sequence));
    if (room <= 0) return 0;
    const drafts = this.#draftsOf(sequence);
    const together = Math.max(choices + 1, this.#running.length);
    const cost = (this.pace.choiceMs * together) / this.pace.stepMs(0, together);
    let worth = 0;
    for (let chance = drafts.rate; worth < room && chance > cost; chance *= drafts.rate) worth++;
    const guessed = worth === 0 ? 0 : drafts.guess(sequence.length, worth);
    if (guessed === 0) drafts.rest();
    return guessed;
  }

  #draftsOf(sequence: Sequence): Guesses {
    sequence.drafts ??= this.#limits.foresees ? new ForeseenDrafts(sequence.ids) : new Drafts(sequence.ids);
    return sequence.drafts;
  }

  /** Slots for guesses: of the sequence's last block, and of blocks that are free and that no known token of a running one needs. */
  #slotsBehind({ length, blocks }: Sequence): number {
    const needs = this.#running.reduce((sum, running) => sum + Math.max(0, this.#blocksFor(running.length) - running.blocks.length), 0);
    const own = Math.max(blocks.length, this.#blocksFor(length));
    return (own + Math.max(0, this.#pool.freeCount - needs)) * this.#limits.blockLength - length;
  }

  /** Puts up to `most` pending tokens of a running sequence into the batch, and `guessed` behind its last one; returns how many. */
  #place(batch: Batch, sequence: Sequence, most: number, guessed = 0): number {
    if (sequence.isParked || !this.#running.includes(sequence)) return 0;
    let count = Math.min(most, sequence.pending);
    const scoring = sequence.isScoring && sequence.computed < sequence.promptLength - 1;
    const freeRows = batch.limits.maxLogitRows - batch.counts.logitRows;
    if (scoring) count = Math.min(count, freeRows);
    if (count <= 0 || freeRows <= 0 || (this.#limits.isEncoder && count < sequence.pending)) return 0;
    // The last token asks for a choice, which brings its edits; without room for them it waits for the next step.
    if (count === sequence.pending && (sequence.edits?.length ?? 0) > batch.freeEdits) return 0;
    if (sequence.original !== undefined && batch.freeCopies === 0) return 0;
    // Before, where what it had in a step under way is not committed yet.
    this.#trim(sequence);
    if (!this.#grow(batch, sequence, sequence.computed + count + guessed)) return 0;
    if (sequence.original !== undefined) this.#copy(batch, sequence, sequence.original);
    sequence.state ??= this.#takeState(batch);
    const first = batch.counts.tokens;
    batch.addTokens(sequence, count + guessed);
    for (let i = 0; i < count + guessed; i++) {
      const position = sequence.computed + i;
      // After a preemption generated tokens stand behind the prompt: they were drawn already.
      const isUnreported = scoring && position >= sequence.reported && position < sequence.promptLength - 1;
      if (position >= sequence.length - 1) batch.addChoice(sequence, first + i, position);
      else if (isUnreported) batch.addScore(sequence, first + i, position);
    }
    const prompt = Math.max(0, Math.min(count, sequence.promptLength - sequence.computed));
    this.#promptTokens += prompt;
    this.#countsOf(sequence).promptTokens += prompt;
    this.#waiting.charge(sequence, prompt);
    this.#drafted += guessed;
    sequence.guessed = guessed;
    sequence.computed += count;
    return count + guessed;
  }

  /**
   * Gives the sequence blocks for `length` tokens. False: not this step. If there are too few, kept prefixes go, then
   * sequences that are not in the batch yet go back to the queue: parked ones first, then batch work, then the newest.
   */
  #grow(batch: Batch, sequence: Sequence, length: number): boolean {
    const needed = this.#blocksFor(length) - sequence.blocks.length;
    while (needed > this.#pool.freeCount) {
      const missing = needed - this.#pool.freeCount;
      if (this.#clean(batch) > 0 || this.cache.evict(sequence.tenant, missing) > 0 || this.#groups.drop()) continue;
      const victim = this.#running.length > 1 ? this.#victim(batch) : undefined;
      if (victim !== undefined) this.#preempt(victim);
      else if (this.#running.length > 1 || this.cache.evict(sequence.tenant, missing, true) === 0) return false;
      if (victim === sequence) return false;
    }
    for (let i = 0; i < needed; i++) sequence.blocks.push(this.#pool.take());
    return true;
  }

  /** As many as sequences may run: if none is free, one was given back in this very step. */
  #takeState(batch: Batch): BlockId | undefined {
    const { states } = this.#limits;
    if (states?.freeCount === 0) this.#clean(batch);
    return states?.take();
  }

  /** Blocks behind the window go; their places in the table stay. */
  #trim({ blocks, computed }: Sequence): void {
    const { window, blockLength } = this.#limits;
    if (window === undefined) return;
    for (let index = blocksBehind(computed, window, blockLength) - 1; index >= 0; index--) {
      const block = blocks[index] ?? noBlock;
      // Those before it went earlier.
      if (block === noBlock) break;
      this.#pool.give([block]);
      blocks[index] = noBlock;
    }
  }

  /** The prompt's last block, so far as it is the prompt's, to the sequence's own. */
  #copy(batch: Batch, sequence: Sequence, { block, slots }: NonNullable<SharedPrompt['partial']>): void {
    batch.addCopy(block, sequence.blocks[Math.floor(sequence.computed / this.#limits.blockLength)] ?? block, slots);
    this.#copied.push(block);
    sequence.original = undefined;
  }

  #victim(batch: Batch): Sequence | undefined {
    const outside = this.#running.filter((running) => running.underWay === 0 && !batch.sequences.includes(running));
    return outside.findLast(({ isParked }) => isParked) ?? outside.findLast(({ priority }) => priority === 'batch') ?? outside.at(-1);
  }

  /** Freed blocks are zeroed first thing in this step, and free from then on. */
  #clean(batch: Batch): number {
    const cleaned = this.#pool.clean();
    for (const block of cleaned) batch.addClear(block);
    for (const block of this.#limits.states?.clean() ?? []) batch.addStateClear(block);
    return cleaned.length;
  }

  /** Back to the head of its queue; its tokens are kept and computed anew, so none is lost or drawn twice. */
  #preempt(sequence: Sequence): void {
    this.#release(sequence);
    sequence.computed = 0;
    this.#groups.leave(sequence, true);
    this.#waiting.putBack(sequence);
    this.#preemptions++;
  }

  #release(sequence: Sequence): void {
    this.#hasDeparted ||= sequence.blocks.length > 0;
    this.#pool.give(sequence.blocks.filter((block) => block !== noBlock));
    sequence.blocks = [];
    if (sequence.original !== undefined) this.#pool.give([sequence.original.block]);
    sequence.original = undefined;
    if (sequence.state !== undefined) this.#limits.states?.give([sequence.state]);
    sequence.state = undefined;
    const index = this.#running.indexOf(sequence);
    if (index >= 0) this.#running.splice(index, 1);
  }

  /** Who is parked gives way to the one whose turn it is, and batch work to interactive requests, if there is no room otherwise. Before anything is in the batch. */
  #makeWay(batch: Batch): void {
    for (;;) {
      const next = this.#waiting.next(this.#isReady);
      if (next === undefined || (this.#running.length < this.#limits.maxSequences && this.#planStart(next) !== undefined)) return;
      const yields = ({ priority, yielded }: Sequence): boolean => next.priority !== 'batch' && priority === 'batch' && yielded < yieldLimit;
      const idle = this.#running.filter(({ underWay }) => underWay === 0);
      const victim = idle.findLast(({ isParked }) => isParked) ?? idle.findLast(yields);
      if (victim === undefined) {
        // Nothing runs: what stands in the way are the prompts of groups, other ones first.
        if (this.#running.length === 0 && (this.#groups.drop(next) || this.#groups.drop())) continue;
        return;
      }
      if (!victim.isParked) victim.yielded++;
      this.#preempt(victim);
      this.#clean(batch);
    }
  }

  readonly #isReady = (sequence: Sequence): boolean => !sequence.isParked && !this.#groups.isHeld(sequence);

  /** Starts the one whose turn it is, if the pool holds all its tokens and one block more: no thrashing. Nobody overtakes it. */
  #admit(): Sequence | undefined {
    const next = this.#waiting.next(this.#isReady);
    const start = next && this.#planStart(next);
    if (next === undefined || start === undefined) return undefined;
    this.#waiting.remove(next);
    this.#running.push(next);
    const { shared, found } = start;
    if (shared !== undefined) {
      for (const block of shared.blocks) this.#pool.share(block);
      next.blocks.push(...shared.blocks);
      next.computed = next.promptLength - 1;
      // A share of the original, so that making room cannot take it away before it is copied.
      if (shared.partial !== undefined) this.#pool.share(shared.partial.block);
      next.original = shared.partial;
    } else if (next.chain !== undefined) {
      this.cache.take(next.chain, found, this.#now());
      next.blocks.push(...found);
      next.computed = found.length * this.#limits.blockLength;
    }
    this.#groups.admit(next);
    if (!next.wasAdmitted) {
      next.wasAdmitted = true;
      next.cached = Math.min(next.computed, next.promptLength);
      this.cache.count(next.tenant, next.promptLength, next.cached);
    }
    return next;
  }

  /** Whether its next token must come after `deadline` if its turn comes at `start`. What is kept of its prompt is looked for only where that decides. */
  #isBeyond(sequence: Sequence, start: number, deadline: number): boolean {
    const { pending } = sequence;
    if (!this.pace.isKnown || start + this.pace.firstTokenMs(pending) <= deadline) return false;
    const found = this.#groups.find(sequence)?.blocks ?? this.#find(sequence);
    return start + this.pace.firstTokenMs(pending - found.length * this.#limits.blockLength) > deadline;
  }

  /** Keys that were turned by other frequencies are other keys. */
  #saltOf(sequence: Sequence): Uint32Array | undefined {
    const { longFrom } = this.#limits;
    return longFrom === undefined ? sequence.salt : Uint32Array.of(Number(isLong(sequence, longFrom)), ...(sequence.salt ?? []));
  }

  /** Kept blocks that a waiting sequence can begin with. */
  #find(sequence: Sequence): readonly BlockId[] {
    if (!sequence.keepsPrefix || !this.cache.isOn) return [];
    sequence.chain ??= this.cache.createChain(sequence.tenant, this.#saltOf(sequence));
    // Positions that are still to be reported have to be computed.
    if (sequence.isScoring && sequence.reported < sequence.promptLength - 1) return [];
    return this.cache.find(sequence.chain, sequence.ids, sequence.length);
  }

  /** What a waiting sequence would start with; undefined: there is no room for it. */
  #planStart(sequence: Sequence): { readonly shared: SharedPrompt | undefined; readonly found: readonly BlockId[] } | undefined {
    const shared = this.#groups.find(sequence);
    const found = shared === undefined ? this.#find(sequence) : [];
    const { window, tokenBudget, blockLength } = this.#limits;
    const needed = blocksHeld(sequence.length, window, tokenBudget, blockLength) + 1 - (shared?.blocks ?? found).length;
    const idle = found.filter((block) => this.#pool.isIdle(block)).length;
    const spare = this.#running.length === 0 ? this.#pool.idleCount : this.cache.evictable(sequence.tenant);
    return needed <= this.#pool.freeCount + this.#pool.dirtyCount + Math.max(0, spare - idle) ? { shared, found } : undefined;
  }

  #blocksFor(length: number): number {
    return Math.ceil(length / this.#limits.blockLength);
  }

  #countsOf({ tenant }: Sequence): TokenCounts {
    let counts = this.#tenants.get(tenant);
    if (counts === undefined) this.#tenants.set(tenant, (counts = { promptTokens: 0, generatedTokens: 0 }));
    return counts;
  }

  #append(sequence: Sequence, row: number, results: RowResults): void {
    if (sequence.maxTokens === 0) {
      this.#finish(sequence, 'length');
      return;
    }
    const id = results.id(row);
    const { guessed } = sequence;
    const isRight = guessed > 0 && sequence.ids[sequence.length] === id;
    if (guessed > 0) sequence.drafts?.learn(isRight);
    if (isRight) {
      // Its keys and values have been stored along with those before it.
      sequence.computed++;
      this.#accepted++;
    } else if (guessed > 0) sequence.ids.fill(0, sequence.length, sequence.length + guessed);
    sequence.guessed = isRight ? guessed - 1 : 0;
    if (this.#limits.foresees) this.#draftsOf(sequence).see?.(sequence.length + 1, results.foreseen(row));
    this.#waiting.charge(sequence, generatedWeight);
    this.#take(sequence, id, details(results, row, sequence.logits !== 'none', sequence.logprobs));
    this.#force(sequence);
  }

  #take(sequence: Sequence, id: TokenId, more: ReturnType<typeof details>): void {
    sequence.append(id);
    this.#generatedTokens++;
    this.#countsOf(sequence).generatedTokens++;
    // With the first one, because a reader that has found what it looked for does not stay for the end.
    const first = sequence.generated === 1 ? { cachedTokens: sequence.cached } : {};
    sequence.sink.event({ type: 'token', id, ...first, ...more });
    if (sequence.stopIds.has(id)) this.#finish(sequence, 'stop');
    else if (sequence.generated >= sequence.maxTokens) this.#finish(sequence, 'length');
    else if (sequence.matcher !== undefined) follow(sequence, sequence.matcher, id);
  }

  /**
   * Tokens that must come need no step: they are computed along with the next one, like those of a prompt. Whoever wants to know what the model says of them gets
   * a step for each, and whoever has a say in which tokens spell a text (a bias, a penalty) gets one for each of those.
   */
  #force(sequence: Sequence): void {
    if (sequence.logits !== 'none' || sequence.logprobs !== undefined) return;
    for (let count = 0; count < mostForced && sequence.matcher !== undefined && !sequence.aborted; count++) {
      const id = sequence.matcher.only ?? (sequence.edits === undefined ? sequence.matcher.planned : undefined);
      if (id === undefined) return;
      this.#forced++;
      this.#waiting.charge(sequence, 1);
      this.#take(sequence, id, {});
    }
  }

  #finishText(sequence: Sequence, values: Float32Array): void {
    if (values.every(Number.isFinite)) this.#finish(sequence, 'length', values);
    else this.#break(sequence);
  }

  /** What it has stored may be broken too, and is not for others. */
  #break(sequence: Sequence): void {
    if (sequence.chain !== undefined) this.cache.discard(sequence.chain);
    fail(sequence, new InwardError('logits_invalid'));
  }

  #finish(sequence: Sequence, reason: FinishReason, embedding?: Float32Array): void {
    this.pace.observeAnswer(sequence.generated);
    // What its last step has computed is worth keeping too; for a short answer that is the whole prompt.
    this.#offer(sequence);
    const counts = { promptTokens: sequence.promptLength, completionTokens: sequence.generated, cachedTokens: sequence.cached };
    sequence.sink.event({ type: 'end', reason, ...counts, ...(embedding && { embedding }) });
    this.#leave(sequence);
  }

  /** It is nobody's any more. */
  #leave(sequence: Sequence): void {
    sequence.hasEnded = true;
    this.#release(sequence);
    this.#groups.leave(sequence, false);
    this.#waiting.remove(sequence);
    this.#waiting.leave(sequence);
    sequence.zero();
  }

  #failLate(): void {
    const now = this.#now();
    // Without a list of both: this is once a step.
    for (const sequence of this.#running) if (!sequence.aborted && sequence.deadline <= now) fail(sequence, late(sequence));
    for (const sequence of this.#waiting) {
      if (sequence.aborted || sequence.deadline === Number.POSITIVE_INFINITY) continue;
      if (sequence.deadline <= now) fail(sequence, late(sequence));
      else if (this.#isBeyond(sequence, now, sequence.deadline)) fail(sequence, unreachable(sequence, 0));
    }
  }

  #dropAborted(): void {
    if (!this.#running.some(isAborted) && !some(this.#waiting, isAborted)) return;
    for (const sequence of this.#all.filter(isAborted)) this.#leave(sequence);
  }
}

const isAborted = ({ aborted }: Sequence): boolean => aborted;

function some<T>(values: Iterable<T>, is: (value: T) => boolean): boolean {
  for (const value of values) if (is(value)) return true;
  return false;
}

const late = ({ deadlineMs }: Sequence): InwardError => new InwardError('deadline_exceeded', { limit: deadlineMs });
const unreachable = ({ deadlineMs }: Sequence, waitMs: number): InwardError =>
  new InwardError('deadline_unreachable', { limit: deadlineMs, waitMs: Math.ceil(waitMs) });

/** The grammar goes on by a token; what it cannot say of the next one ends this sequence alone. */
function follow(sequence: Sequence, matcher: Matcher, id: TokenId): void {
  try {
    if (!matcher.accept(id) || matcher.mask() === undefined) fail(sequence, new InwardError('grammar_stuck'));
  } catch (error) {
    fail(sequence, toInwardError(error, 'a grammar'));
  }
}

function fail(sequence: Sequence, error: InwardError): void {
  sequence.sink.fail(error);
  sequence.aborted = true;
}

/** What an event carries beside its token. */
function details(
  results: RowResults,
  row: number,
  withLogits: boolean,
  logprobs: number | undefined,
): { readonly logits?: Float32Array; readonly logprobs?: TokenLogprobs } {
  return {
    ...(withLogits && { logits: results.logits(row) }),
    ...(logprobs !== undefined && { logprobs: results.logprobs(row, logprobs) }),
  };
}
