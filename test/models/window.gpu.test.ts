/**
 * A model whose layers look back over windows, on the device, with the scheduler and the runner that engines have: giving blocks behind
 * the windows back changes no bit of any logit. What a window does to attention: test/kernels/attention.gpu.test.ts.
 */
import { expect, onTestFinished, test } from 'vitest';
import { poolExtent, slotVectors } from '../../kernels/attention.ts';
import type { Slice, Vectors } from '../../kernels/kernel.ts';
import { randomFileRows, randomFloats } from '../../kernels/random.ref.ts';
import { tileFacts } from '../../kernels/tiles.ts';
import { Graph, type LoadedMatrix } from '../../models/graph.ts';
import { ropeFrequencies } from '../../models/rope.ts';
import { wholeBuffer } from '../../runtime/memory.ts';
import { ResultOutlet } from '../../runtime/outlets.ts';
import type { StepResults } from '../../runtime/results.ts';
import { Runner } from '../../runtime/runner.ts';
import { Batch } from '../../runtime/scheduling/batch.ts';
import { BlockPool } from '../../runtime/scheduling/blocks.ts';
import { Scheduler } from '../../runtime/scheduling/scheduler.ts';
import { Sequence, type SequenceSink } from '../../runtime/scheduling/sequence.ts';
import { blocksHeld, noBlock } from '../../runtime/scheduling/window.ts';
import type { BlockId, KvFormat } from '../../runtime/types.ts';
import { firstDifference } from '../engine-run.ts';
import { Gpu, testDevice } from '../gpu.ts';
import { packMatrix } from '../packed.ts';
import { sampleCases } from '../sample.ts';

const width = 32;
const vocabulary = 45;
const blockLength = 16;
const contextLength = 544;
/** Attention of the last positions has two items, of which the first is behind every window; wide kernels take minutes for that on SwiftShader. */
const promptLengths = { narrow: 520, wide: 100 };
const deadlineMs = 400_000;
const maxTokens = 20;
const tokenBudget = 64;
const sequences = 2;
/** Of two layers. */
const windows = [40, 10];
const window = Math.max(...windows);
const heads = { heads: 2, kvHeads: 1, headLength: 16, rotaryLength: 16 };
/** Blocks for whole contexts, and one more that no sequence has. */
const blockCount = sequences * (contextLength / blockLength) + 2;
const poisoned = (blockCount - 1) as BlockId;

interface Model {
  readonly gpu: Gpu;
  readonly batch: Batch;
  readonly runner: Runner<StepResults>;
  readonly pools: readonly Vectors[];
  readonly kv: KvFormat;
  readonly promptLength: number;
}

async function matrix(gpu: Gpu, rows: number, seed: number): Promise<LoadedMatrix> {
  const packed = await packMatrix(gpu, 'Q4_1', randomFileRows('Q4_1', rows, width, seed), rows, width, { isWhole: true, place: gpu.open.place });
  return { rows, columns: width, isInterleaved: false, pieces: [{ firstRow: 0, matrix: packed }] };
}

async function createModel(family: keyof typeof promptLengths, kv: KvFormat): Promise<Model> {
  const gpu = await Gpu.create(testDevice(), { family });
  onTestFinished(() => gpu.open[Symbol.dispose]());
  const { device, place } = gpu.open;
  const batch = new Batch({ maxTokens: tokenBudget, maxSequences: sequences, maxLogitRows: 4, contextLength, blockCount, blockLength, maxEdits: 1 });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const batchBuffer = gpu.memory.create('batch', 'batch', batch.words.byteLength, usage);
  const extent = poolExtent({ ...heads, kv }, blockCount * blockLength, gpu.open);
  expect(extent.fold).toBe(1);
  const pools = windows.map((_, layer) => gpu.memory.createVectors('kv', `KV ${layer}`, place, extent.width, extent.rows, 'rgba32uint'));
  const graph = new Graph({
    ...tileFacts(gpu.open),
    ...{ layout: batch.layout, activations: 'f32', kv, maxTokens: tokenBudget, maxLogitRows: 4, maxItems: batch.maxItems, maxEdits: 1, maxCopies: sequences },
    ...{ contextLength, window, blockLength, batch: wholeBuffer(batchBuffer), pools: pools.map((vectors) => ({ vectors, fold: 1 })) },
    create: (owner, label, size, data) => {
      const buffer = gpu.memory.create(data === undefined ? owner : 'constants', label, size, usage);
      if (data !== undefined) device.queue.writeBuffer(buffer, 0, data());
      return wholeBuffer(buffer);
    },
    createRows: (label, rows, columns) => gpu.memory.createVectors('activations', label, place, columns / 4, rows),
  });
  const rotation = graph.rotation(ropeFrequencies(heads.rotaryLength, 10_000));
  const norm = (seed: number): { weight: Slice; epsilon: number } => ({ weight: gpu.uniform(randomFloats(width, seed)), epsilon: 1e-6 });
  const table = await matrix(gpu, vocabulary, 1);
  let x = graph.embed(table);
  for (const [layer, own] of windows.entries()) {
    const attended = graph.attention(layer, x, norm(10 + layer), await matrix(gpu, 64, 20 + layer), { ...heads, window: own }, rotation);
    x = graph.addLinear(x, await matrix(gpu, width, 30 + layer), attended);
  }
  graph.choose(x, norm(2), table);
  return {
    gpu,
    batch,
    runner: await Runner.create(device, gpu.memory, gpu.pipelines, batchBuffer, graph, new ResultOutlet(gpu.memory, graph)),
    pools,
    kv,
    promptLength: promptLengths[family],
  };
}

/** Words that are no number in every format of the KV cache. */
function writePoison({ gpu, pools, kv }: Model): void {
  const rowVectors = slotVectors({ ...heads, kv });
  const words = new Uint32Array(blockLength * rowVectors * 4).fill(0x7fc0_7fc0);
  for (const pool of pools) {
    if ('buffer' in pool) gpu.open.device.queue.writeBuffer(pool.buffer, poisoned * words.byteLength, words);
    else {
      const destination = { texture: pool.texture, origin: [0, poisoned * blockLength] };
      gpu.open.device.queue.writeTexture(destination, words, { bytesPerRow: rowVectors * 16 }, [rowVectors, blockLength]);
    }
  }
}

interface Outcome {
  readonly logits: readonly (readonly Float32Array[])[];
  readonly failures: number;
  readonly givenBack: number;
  readonly residue: number;
}

/** `change`: what becomes of each table that is uploaded; with fewer than all blocks others take what is given back. */
async function runAll(
  { batch, runner, promptLength }: Model,
  blocks: number,
  kept: number | undefined,
  change: (table: Uint32Array) => void,
): Promise<Outcome> {
  const pool = new BlockPool(blocks);
  const limits = { maxSequences: sequences, queueLength: 8, tokenBudget, blockLength, window: kept };
  const scheduler = new Scheduler(limits, pool);
  const logits: Float32Array[][] = [];
  let [failures, givenBack] = [0, 0];
  for (let i = 0; i < sequences; i++) {
    const own: Float32Array[] = [];
    logits.push(own);
    const promptIds = Uint32Array.from({ length: promptLength }, (_, position) => (position * (i + 3) + Math.floor(position / 7)) % vocabulary);
    const sink: SequenceSink = {
      event: (event) => void ('logits' in event && event.logits !== undefined && own.push(event.logits)),
      fail: () => void failures++,
    };
    scheduler.add(new Sequence({ promptIds, maxTokens, logits: 'sampled' }, contextLength, sink));
  }
  const { BATCH_TABLES: tables = Number.NaN, TABLE_LENGTH: length = Number.NaN } = batch.layout;
  while (scheduler.hasWork) {
    scheduler.schedule(batch);
    for (const [i, sequence] of batch.sequences.entries()) {
      givenBack = Math.max(givenBack, sequence.blocks.filter((block) => block === noBlock).length);
      change(batch.words.subarray(tables + i * length, tables + i * length + sequence.blocks.length));
    }
    scheduler.commit(batch, await runner.run(batch));
    batch.zero();
  }
  const { kv, ...scratch } = await runner.readResidue({ kv: pool.freeBlocks, state: [] }, blockCount);
  expect(pool.freeCount).toBe(blocks);
  return { logits, failures, givenBack, residue: kv + scratch.activations + scratch.logits + scratch.batch + scratch.staging };
}

const kinds = [
  ['narrow', 'f32'],
  ['narrow', 'q8'],
  ['wide', 'f16'],
] as const;

test.each(sampleCases('kernels with windows', kinds, 2, [kinds[0]]))(
  '%s kernels, KV in %s: blocks behind the windows are given back, and no logit changes',
  async (family, kv) => {
    const model = await createModel(family, kv);
    const nothing = (): void => undefined;
    const whole = await runAll(model, blockCount - 1, undefined, nothing);
    expect(whole).toMatchObject({ failures: 0, givenBack: 0, residue: 0 });
    expect(whole.logits.map(({ length }) => length)).toEqual([maxTokens, maxTokens]);

    // Others take what is given back; and where a given back block stood, the tables name one that would spoil whatever reads it.
    writePoison(model);
    const spoil = (table: Uint32Array): void => table.forEach((block, i) => void (block === noBlock && (table[i] = poisoned)));
    const few = sequences * blocksHeld(contextLength, window, tokenBudget, blockLength) + 1;
    expect(few).toBeLessThan(contextLength / blockLength);
    const windowed = await runAll(model, few, window, spoil);
    expect(windowed).toMatchObject({ failures: 0, residue: 0 });
    // All but the window and the tokens that have just been made.
    expect(windowed.givenBack).toBeGreaterThanOrEqual(Math.floor((model.promptLength + maxTokens - 1 - window) / blockLength) - 1);
    for (const [i, logits] of windowed.logits.entries()) expect(firstDifference(logits, whole.logits[i] ?? [])).toBeUndefined();

    // The oldest block that is kept is read.
    const spoilOne = (table: Uint32Array): void => {
      const first = table.findIndex((block) => block !== noBlock);
      if (first > 0) table[first] = poisoned;
    };
    expect((await runAll(model, few, window, spoilOne)).failures).toBe(sequences);
  },
  deadlineMs,
);

test('a layer that looks further back than blocks are kept is refused', async () => {
  const gpu = await Gpu.create(testDevice());
  onTestFinished(() => gpu.open[Symbol.dispose]());
  const pool = gpu.buffer(new Uint32Array(4));
  const settings = { window: 40, pools: [pool] } as unknown as ConstructorParameters<typeof Graph>[0];
  for (const own of [{}, { window: 41 }]) {
    const attend = () => new Graph(settings).attention(0, pool, { weight: pool, epsilon: 1e-6 }, {} as LoadedMatrix, { ...heads, ...own }, pool);
    expect(attend).toThrow('layer 0 looks behind the window');
  }
});
