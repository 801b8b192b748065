/** Nothing of a sequence is left on the device once it has ended, been cancelled or preempted: every free block and all scratch is read back. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeVectors } from '../../../runtime/memory.ts';
import { openParts, type Parts } from '../../../runtime/open.ts';
import { Sequence } from '../../../runtime/scheduling/sequence.ts';
import { scratchOwners } from '../../../runtime/scrub.ts';
import type { BlockId, GenerateRequest, ZeroReport } from '../../../runtime/types.ts';
import { testDevice } from '../../gpu.ts';
import { readOracle } from '../../oracle.ts';

const oracle = readOracle('gguf_llama_q4_1');
const { len7, len33, batch1 } = oracle.prompts;
const contextLength = 64;
const blockLength = 16;
/** Room for two contexts, so that sequences are preempted. */
const options = { modelPath: oracle.modelPath, device: testDevice(), contextLength, maxSequences: 4, tokenBudget: 24, kvTokens: 112, queueLength: 64 };
const nothing = { kv: 0, state: 0, activations: 0, logits: 0, staging: 0, batch: 0 };

/** The parts of an engine, stepped by hand. */
class Bench {
  readonly parts: Parts;
  readonly sequences: Sequence[] = [];
  readonly tokens = new Map<Sequence, number[]>();
  /** Scratch is left as it is: what the proof must notice. */
  isCareless = false;

  constructor(parts: Parts) {
    this.parts = parts;
  }

  add(request: GenerateRequest): Sequence {
    const tokens: number[] = [];
    const sink = { event: (event: { type: string; id?: number }) => event.type === 'token' && tokens.push(event.id ?? -1), fail: () => undefined };
    const sequence = new Sequence(request, contextLength, sink);
    this.parts.scheduler.add(sequence);
    this.sequences.push(sequence);
    this.tokens.set(sequence, tokens);
    return sequence;
  }

  /** False: there is nothing to do. `change`: what is done to the batch before it runs. */
  async step(change: () => void = () => undefined): Promise<boolean> {
    const { scheduler, batch, runner } = this.parts;
    scheduler.schedule(batch);
    if (batch.isEmpty) return false;
    change();
    if (this.isCareless) batch.hasDeparted = false;
    const results = await runner.run(batch);
    scheduler.commit(batch, results);
    batch.zero();
    results.zero();
    return true;
  }

  /** Ends everything, and keeps no prefix. */
  async drain(): Promise<void> {
    for (const sequence of this.sequences.splice(0)) sequence.isParked = false;
    for (let steps = 0; await this.step(); steps++) if (steps > 500) throw new Error('no end');
    this.parts.scheduler.flush();
    await this.step();
  }

  residue(blocks: readonly BlockId[] = this.parts.pool.freeBlocks): Promise<ZeroReport> {
    return this.parts.runner.readResidue({ kv: blocks, state: [] }, this.parts.pool.total);
  }
}

type Op = { readonly add: GenerateRequest } | { readonly abort: number } | { readonly park: number } | { readonly steps: number };

const operations: fc.Arbitrary<Op[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .record({
          promptIds: fc.uint32Array({ min: 1, max: 360, minLength: 1, maxLength: 24 }),
          maxTokens: fc.integer({ min: 0, max: 36 }),
          logits: fc.constantFrom('none', 'sampled', 'all'),
          logprobs: fc.constantFrom(0, 3),
          sampling: fc.constantFrom({}, { temperature: 1, seed: 1, topK: 5 }, { repetitionPenalty: 1.5, frequencyPenalty: 1 }),
        })
        .map((request): Op => ({ add: request })),
    },
    { weight: 1, arbitrary: fc.nat(20).map((abort) => ({ abort })) },
    { weight: 1, arbitrary: fc.nat(20).map((park) => ({ park })) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 8 }).map((steps) => ({ steps })) },
  ),
  { minLength: 6, maxLength: 20 },
);

describe('the parts of an engine', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = new Bench((await openParts(options)).parts);
  });
  afterAll(() => {
    bench.parts.memory[Symbol.dispose]();
    bench.parts.open[Symbol.dispose]();
  });

  test('an engine that has only warmed up holds zeros, and the look at it sees all of them', async () => {
    const { words, ...residue } = await bench.residue();
    expect(residue).toEqual(nothing);
    const usage = bench.parts.memory.usage();
    const sizes = ['kv', ...scratchOwners].map((owner) => usage[owner] ?? Number.NaN);
    expect(words * 4).toBe(sizes.reduce((sum, size) => sum + size));
  });

  test('after any operations every free block is zero at once, and everything is at rest', async () => {
    const { scheduler, pool } = bench.parts;
    const seen = { free: 0, preempted: scheduler.preemptionCount };
    // Read-back of logits, made by the first step that wants them, is the rest.
    bench.add({ promptIds: len7.ids, maxTokens: 1, logits: 'all' });
    await bench.drain();
    const { words: atRest } = await bench.residue();
    await fc.assert(
      fc.asyncProperty(operations, async (ops) => {
        for (const op of ops) {
          if ('add' in op) bench.add(op.add);
          else if ('steps' in op) for (let i = 0; i < op.steps; i++) await bench.step();
          else if ('abort' in op) {
            const sequence = bench.sequences[op.abort % Math.max(1, bench.sequences.length)];
            if (sequence !== undefined) sequence.aborted = true;
            await bench.step();
          } else {
            const sequence = bench.sequences[op.park % Math.max(1, bench.sequences.length)];
            if (sequence !== undefined) sequence.isParked = !sequence.isParked;
          }
          if ('add' in op) continue;
          expect((await bench.residue()).kv).toBe(0);
          seen.free += pool.freeCount;
        }
        await bench.drain();
        const { words, ...residue } = await bench.residue();
        expect(residue).toEqual(nothing);
        expect([words, pool.freeCount]).toEqual([atRest, pool.total]);
      }),
      { numRuns: 30, seed: 6 },
    );
    expect([seen.free > 0, scheduler.preemptionCount > seen.preempted]).toEqual([true, true]);
  });

  test('without zeroing the same look finds what was left', async () => {
    bench.isCareless = true;
    bench.add({ promptIds: len33.ids, maxTokens: 4, logits: 'sampled' });
    await bench.drain();
    bench.isCareless = false;
    const { kv, activations, logits, staging, batch } = await bench.residue();
    expect(kv).toBe(0);
    // A hidden state, a row of logits here and where the host reads it, the words of a step.
    expect(activations).toBeGreaterThan(64);
    expect([logits, staging].map((count) => count >= 361)).toEqual([true, true]);
    expect(batch).toBeGreaterThan(0);
    bench.add({ promptIds: len7.ids, maxTokens: 1 });
    await bench.drain();
    expect(await bench.residue()).toMatchObject(nothing);
  });

  test('one planted word is found, whoever’s it is', async () => {
    const { memory, open, pool } = bench.parts;
    for (const owner of ['kv', ...scratchOwners] as const) {
      for (const made of memory.madeFor(owner)) {
        const word = Uint32Array.of(0, 0, 0, 0x8000_0000); // a negative zero is none
        if ('width' in made) {
          const origin = [made.width - 1, owner === 'kv' ? 3 : made.height - 1];
          open.device.queue.writeTexture({ texture: made, origin }, word, {}, [1, 1]);
        } else open.device.queue.writeBuffer(made, owner === 'kv' ? 1600 : made.size - 16, word);
        const { words: _, ...residue } = await bench.residue();
        expect(residue, `${owner} ${made.label}`).toEqual({ ...nothing, [owner]: 1 });
        if ('width' in made) writeVectors(open.device, { texture: made, view: made.createView() }, new Uint32Array(made.width * made.height * 4));
        else open.device.queue.writeBuffer(made, 0, new Uint32Array(made.size / 4));
      }
    }
    expect(pool.freeCount).toBe(pool.total);
  });

  test('blocks of a running sequence are not zero, so that zeros mean something', async () => {
    const sequence = bench.add({ promptIds: len33.ids, maxTokens: 4 });
    for (let i = 0; i < 3; i++) await bench.step();
    expect((await bench.residue([...sequence.blocks])).kv).toBeGreaterThan(0);
    expect((await bench.residue()).kv).toBe(0);
    await bench.drain();
  });

  test('scratch is zeroed before the first step after an end, and in no other', async () => {
    const { memory, open } = bench.parts;
    const other = bench.add({ promptIds: len7.ids, maxTokens: 30 });
    const first = bench.add({ promptIds: batch1.ids.slice(0, 20), maxTokens: 2, logits: 'all' });
    await bench.step();
    /** A word of scratch that no step of one token writes: the last of the largest buffer of the logits. */
    const [largest] = memory.madeFor('logits').toSorted((a, b) => ('size' in b ? b.size : 0) - ('size' in a ? a.size : 0));
    if (largest === undefined || !('size' in largest)) throw new Error('no buffer of logits');
    open.device.queue.writeBuffer(largest, largest.size - 4, Uint32Array.of(7));
    const isThere = async (): Promise<boolean> => {
      const staging = open.device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      const encoder = open.device.createCommandEncoder();
      encoder.copyBufferToBuffer(largest, largest.size - 4, staging, 0, 4);
      open.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const found = new Uint32Array(staging.getMappedRange())[0] === 7;
      staging.destroy();
      return found;
    };
    while (first.blocks.length > 0) {
      expect(await isThere()).toBe(true);
      await bench.step();
    }
    expect(await isThere()).toBe(true);
    await bench.step();
    expect([await isThere(), other.blocks.length > 0]).toEqual([false, true]);
    await bench.drain();
    expect(bench.tokens.get(other)?.slice(0, 24)).toEqual(len7.greedy);
  });

  test('a sequence goes on in copies of another’s blocks, and so does the other in its own', async () => {
    const { pool, batch } = bench.parts;
    const [kept, moved] = [1, 2].map(() => bench.add({ promptIds: len7.ids, maxTokens: 24, keepsPrefix: false })) as [Sequence, Sequence];
    // Both are at the same token, in their second block.
    while (moved.generated < 12) await bench.step();
    const old = moved.blocks;
    moved.blocks = old.map(() => pool.take());
    pool.give(old);
    await bench.step(() => {
      const stored = moved.computed - 1;
      for (const [i, to] of moved.blocks.entries()) batch.addCopy(kept.blocks[i] as BlockId, to, Math.min(blockLength, stored - i * blockLength));
    });
    await bench.drain();
    expect([kept, moved].map((sequence) => bench.tokens.get(sequence))).toEqual([len7.greedy, len7.greedy]);
    expect(await bench.residue()).toMatchObject(nothing);
  });
});
