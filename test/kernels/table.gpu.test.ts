/**
 * The table of kernels: operation x format x family on the device of this run. A cell says what this file itself did: `ran` a small
 * case against the reference, ran it in `emulated` form, or only `compiled` it (null backend). `llama` and so on: which model
 * families come to such an operation. The full suite runs every cell; docs/kernels.md has a copy of its table.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { int8Reference } from '../../kernels/activations.ref.ts';
import type { AttentionShape } from '../../kernels/attention.ts';
import { attentionVariant } from '../../kernels/attention.ts';
import { attentionWideVariants } from '../../kernels/attention_wide.ts';
import { embed, embedVariant } from '../../kernels/embed.ts';
import type { Operation, Slice, Variant } from '../../kernels/kernel.ts';
import { type MatmulArguments, matmul, matmulVariants } from '../../kernels/matmul.ts';
import type { MatrixUnit } from '../../kernels/matrix_unit.ts';
import { PipelineCache } from '../../kernels/pipeline.ts';
import type { KernelFamily } from '../../kernels/tiles.ts';
import { matmulF32Bound, matvecReference } from '../../kernels/weights.ref.ts';
import { type Activations, packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { Graph, type Weights } from '../../models/index.ts';
import { llama } from '../../models/llama.ts';
import { createConfigReader } from '../../runtime/checkpoint/config.ts';
import { type OpenDevice, openNullDevice } from '../../runtime/device.ts';
import { Batch } from '../../runtime/scheduling/batch.ts';
import { compare, Gpu, joined } from '../gpu.ts';
import { prepareMatmul } from '../matmul-case.ts';
import { sampleCases } from '../sample.ts';

const storages = Object.keys(packedStorages) as StorageWithKernels[];
const isFull = process.env['INWARD_FULL'] === '1';
/** Those whose wide and matrix cells run by default: compiling takes a CPU device seconds for each. */
const sampled: readonly StorageWithKernels[] = ['F32', 'Q4_1', 'Q8_0', 'Q4_K', 'Q6_K'];
/** Rows of the table. */
const tabled = sampleCases('storages of the table', storages, 16, sampled);
const unit: MatrixUnit = { m: 16, n: 16, k: 16, element: 'f32', form: 'emulated' };
const int8Unit: MatrixUnit = { ...unit, k: 32, element: 'i8' };
const { layout } = new Batch({ maxTokens: 8, maxSequences: 2, maxLogitRows: 4, contextLength: 64, blockCount: 8, blockLength: 16, maxEdits: 64 });

let gpu: Gpu;
let empty: OpenDevice;
beforeAll(async () => {
  gpu = await Gpu.create();
  empty = await openNullDevice();
});
afterAll(() => {
  gpu.open[Symbol.dispose]();
  empty[Symbol.dispose]();
});

type Outcome = 'ran' | 'emulated' | 'compiled';

async function compile(variants: readonly Variant[]): Promise<Outcome> {
  const cache = new PipelineCache(empty.device);
  for (const variant of variants) await cache.get(variant);
  return 'compiled';
}

async function matmulCell(storage: StorageWithKernels, family: KernelFamily, activations: Activations['format'] = 'f32'): Promise<Outcome> {
  const places = { weights: 'buffer', x: 'buffer', y: 'buffer' } as const;
  const choice = { storage, activations, places, isNormed: false, rows: 40, columns: 32, over: 'tokens' as const, finish: 'store' as const, layout };
  // Native units need 128 invocations of whole subgroups there.
  const nativeUnits = { matrixUnit: { ...unit, element: 'f16', form: 'native' }, int8Unit: { ...int8Unit, form: 'native' } } as const;
  await compile(matmulVariants({ ...choice, lanes: 32, family, ...nativeUnits }).slice(-1));
  if (family !== 'narrow' && !isFull && !sampled.includes(storage)) return 'compiled';
  const tokens = 3;
  const { matrix, weights, x } = await prepareMatmul(gpu, { storage, place: 'buffer', rows: 40, columns: 32, tokens });
  const y = gpu.buffer(new Float32Array(tokens * 40));
  const words = gpu.buffer(Uint32Array.of(tokens, 0, tokens, 0));
  const args: MatmulArguments = {
    ...{ x: { format: activations, vectors: gpu.buffer(joined(x)) }, finish: { kind: 'store', y, stride: 40 }, offset: 0, over: 'tokens' },
    ...{ batch: words, lanes: gpu.lanes, family, matrixUnit: unit, int8Unit, layout },
  };
  const operations = matmul(matrix, args);
  const last = (operations[0]?.variants.length ?? 1) - 1;
  await gpu.run(operations, { tokens, logitRows: 0, items: tokens, clears: 0, copies: 0 }, family === 'matrix' ? last : 0);
  const expected = joined(x.map((row) => matvecReference(weights, activations === 'int8' ? int8Reference(row) : row)));
  const { error, message } = compare(await gpu.readFloats(y), expected);
  expect(error, `${storage} ${family} ${activations}: ${message}`).toBeLessThan(matmulF32Bound);
  return family === 'matrix' ? 'emulated' : 'ran';
}

async function embedCell(storage: StorageWithKernels): Promise<Outcome> {
  await compile([embedVariant(storage, { weights: 'buffer', y: 'buffer' }, 32, layout)]);
  const { matrix, weights } = await prepareMatmul(gpu, { storage, place: 'buffer', rows: 40, columns: 32, tokens: 1 });
  const words = new Uint32Array(256);
  words[0] = 1;
  words[layout['BATCH_IDS'] ?? 0] = 39;
  const y = gpu.buffer(new Float32Array(matrix.columns));
  await gpu.run(embed(matrix, y, gpu.buffer(words), gpu.lanes, layout), { tokens: 1, logitRows: 0, items: 1, clears: 0, copies: 0 });
  const { error, message } = compare(await gpu.readFloats(y), weights[39] ?? []);
  expect(error, `${storage} embed: ${message}`).toBeLessThan(1e-13);
  return 'ran';
}

interface Choice {
  readonly kernels: KernelFamily;
  readonly kv?: AttentionShape['kv'];
  readonly activations?: Activations['format'];
}

/** Labels of all that the forward pass of the plainest family can dispatch with weights of this storage; no device is needed for that. */
function labelsOf(storage: StorageWithKernels, { kernels, kv = 'f16', activations = 'f32' }: Choice): string[] {
  const numbers = { num_hidden_layers: 1, hidden_size: 256, num_attention_heads: 4, intermediate_size: 256, max_position_embeddings: 64 };
  const config = llama.readConfig(createConfigReader({ ...numbers, vocab_size: 64, rms_norm_eps: 1e-5, tie_word_embeddings: true }));
  const slice = (size: number): Slice => ({ buffer: {} as GPUBuffer, offset: 0, size });
  const graph = new Graph({
    ...{
      lanes: 8,
      family: kernels,
      matrixUnit: unit,
      int8Unit,
      layout,
      activations,
      kv,
      maxTokens: 8,
      maxLogitRows: 4,
      maxItems: 8,
      maxEdits: 4,
      maxCopies: 2,
    },
    ...{ contextLength: 64, blockLength: 16, batch: slice(64), pools: config.caches.map(() => ({ vectors: slice(64), fold: 1 })) },
    create: (_, __, size) => slice(size),
    createRows: (_, rows, width) => slice(rows * width * 4),
  });
  const specs = llama.weights(config);
  const matrixOf = (key: string): ReturnType<Weights['matrix']> => {
    const spec = specs.get(key);
    if (spec?.kind !== 'matrix') throw new Error(`${key} is no matrix`);
    const rows = spec.parts.reduce((sum, part) => sum + part.rows, 0);
    const { columns } = spec;
    const matrix = { storage, rows, columns, shards: [{ firstRow: 0, rows, packed: slice(64) }] };
    return { rows, columns, isInterleaved: spec.interleaved === true, pieces: [{ firstRow: 0, matrix }] };
  };
  const experts = (): never => {
    throw new Error('Llama has no experts');
  };
  llama.forward(config, { matrix: matrixOf, experts, vector: () => slice(64), host: () => undefined }, graph);
  return [...graph.blockOperations, ...graph.operations].flatMap(({ variants }: Operation) => variants.map(({ label }) => label));
}

function reachedBy(storage: StorageWithKernels, choice: Choice, matches: (label: string) => boolean): string {
  return labelsOf(storage, choice).some(matches) ? llama.name : 'none';
}

it('operation x format x family', { timeout: 600_000 }, async () => {
  const kinds: readonly KernelFamily[] = ['narrow', 'wide', 'matrix'];
  const rows: string[][] = [['format', 'embed', ...kinds.map((kind) => `matmul ${kind}`), 'reached by']];
  const outcomes = new Set<string>();
  for (const storage of tabled) {
    const { stem } = packedStorages[storage];
    const cells: string[] = [await embedCell(storage)];
    for (const family of kinds) cells.push(await matmulCell(storage, family));
    for (const cell of cells) outcomes.add(cell);
    const isMatmul = (family: KernelFamily) => (label: string) => label.startsWith(`matmul/${stem}/`) && (family === 'narrow' || label.includes(`/${family}`));
    for (const family of kinds) expect(reachedBy(storage, { kernels: family }, isMatmul(family)), `${storage} ${family}`).not.toBe('none');
    rows.push([storage, ...cells, reachedBy(storage, { kernels: 'narrow' }, isMatmul('narrow'))]);
  }
  expect(outcomes).toContain('ran');
  expect(outcomes).toContain('emulated');
  console.log(`${gpu.open.adapter}\n\n${markdown(rows)}\n`);
});

it('matmul with int8 activations: format x family', { timeout: 600_000 }, async () => {
  const kinds: readonly KernelFamily[] = ['narrow', 'matrix'];
  const rows: string[][] = [['format', ...kinds.map((kind) => `matmul int8 ${kind}`), 'reached by']];
  const outcomes = new Set<string>();
  for (const storage of tabled.filter((one) => packedStorages[one].hasInt8)) {
    const cells: string[] = [];
    for (const family of kinds) cells.push(await matmulCell(storage, family, 'int8'));
    for (const cell of cells) outcomes.add(cell);
    const isInt8 = (label: string): boolean => label.startsWith(`matmul/${packedStorages[storage].stem}/int8/`);
    const reached = kinds.map((kernels) =>
      reachedBy(storage, { kernels, activations: 'int8' }, (label) => isInt8(label) && label.includes('/matrix/') === (kernels === 'matrix')),
    );
    expect(reached, storage).not.toContain('none');
    rows.push([storage, ...cells, reached[1] ?? '']);
  }
  expect(outcomes).toContain('ran');
  expect(outcomes).toContain('emulated');
  console.log(`${markdown(rows)}\n`);
});

it('attention by its formats of keys and values: compiled here, run by attention, attention-wide and attention-matrix.gpu', async () => {
  const rows: string[][] = [['operation', 'KV', 'narrow', 'wide', 'matrix', 'reached by']];
  for (const kv of ['f16', 'f32', 'q8'] as const) {
    const shape: AttentionShape = { heads: 4, kvHeads: 2, headLength: 64, rotaryLength: 64, kv, blockLength: 16, poolFold: 1, lanes: 32, layout };
    const narrow = await compile([attentionVariant(shape, 'buffer')]);
    const wide = await compile(attentionWideVariants(shape, 'buffer'));
    // Units would round f32 keys and values: there a device with units has the wide forms.
    const matrix = kv === 'f32' ? 'wide' : await compile(attentionWideVariants(shape, 'buffer', false, { ...unit, element: 'f16', form: 'native' }));
    const reached = [
      reachedBy('F32', { kernels: 'narrow', kv }, (label) => label.startsWith(`attention/${kv}/`) && !/\/(wide|matrix)/.test(label)),
      reachedBy('F32', { kernels: 'wide', kv }, (label) => label.startsWith(`attention/${kv}/`) && label.endsWith('/wide')),
      reachedBy('F32', { kernels: 'matrix', kv }, (label) => label.startsWith(`attention/${kv}/`) && label.includes('/matrix/') === (kv !== 'f32')),
    ];
    expect(new Set(reached), kv).toEqual(new Set([reached[0]]));
    rows.push(['attention', kv, narrow, wide, matrix, reached[0] ?? 'none']);
  }
  expect(rows.flat()).not.toContain('none');
  console.log(`${markdown(rows)}\n`);
});

function markdown([head = [], ...rows]: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
