/** Every variant that the engine can choose, compiled and bound on Dawn's null backend: no GPU, no driver. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type AttentionShape, attentionMergeVariant, attentionVariant, clearBlocksVariant, copyBlocksVariants } from '../../kernels/attention.ts';
import { attentionWideVariants } from '../../kernels/attention_wide.ts';
import { compose } from '../../kernels/compose.ts';
import { attentionCompressedVariant, type CompressedShape, compressVariant, entryIndex, keepRowsVariant, recallRowsVariant } from '../../kernels/compressed.ts';
import { clearStatesVariant, type DeltaShape, deltaInputsVariant, deltaRuleVariant } from '../../kernels/delta.ts';
import { embedVariant } from '../../kernels/embed.ts';
import { expertsSumVariant } from '../../kernels/experts.ts';
import { type ActivationFunction, gatedVariant } from '../../kernels/gated.ts';
import { gatedHeadsVariant } from '../../kernels/gated_heads.ts';
import { headsVariant } from '../../kernels/heads.ts';
import { chooseKeysVariant, indexRowsVariant, indexScoresVariant, tokenEntries } from '../../kernels/indexer.ts';
import type { BindingKind, Place, Slice, Variant } from '../../kernels/kernel.ts';
import { type LatentShape, latentQueriesVariants, latentRowsVariant } from '../../kernels/latent.ts';
import { matmulVariants } from '../../kernels/matmul.ts';
import type { MatrixUnit } from '../../kernels/matrix_unit.ts';
import { normRowsVariant } from '../../kernels/norms.ts';
import { permuteVariant } from '../../kernels/permute.ts';
import { PipelineCache } from '../../kernels/pipeline.ts';
import { poolVariant } from '../../kernels/pool.ts';
import { repackVariant } from '../../kernels/repack.ts';
import { expertsSortVariant, type RouterShape, routeConstants, routerTableVariant, routerVariant } from '../../kernels/router.ts';
import { softmaxVariant, topKVariant } from '../../kernels/rows.ts';
import { sampleVariant } from '../../kernels/sample.ts';
import { streamsJoinVariant, streamsMixVariant, streamsStartVariant } from '../../kernels/streams.ts';
import { candidateTiles, tileName } from '../../kernels/tiles.ts';
import { turnedVariant } from '../../kernels/turned.ts';
import { packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { type OpenDevice, openNullDevice } from '../../runtime/device.ts';
import { Batch } from '../../runtime/scheduling/batch.ts';
import { sampleCases } from '../sample.ts';

const { layout } = new Batch({ maxTokens: 8, maxSequences: 2, maxLogitRows: 4, contextLength: 64, blockCount: 8, blockLength: 16, maxEdits: 64 });
const storages = Object.keys(packedStorages) as StorageWithKernels[];

let open: OpenDevice;
let openWithout: OpenDevice;
beforeAll(async () => {
  open = await openNullDevice();
  openWithout = await openNullDevice({ withoutSubgroups: true });
});

function attentionShapes(lanes: number): AttentionShape[] {
  const shapes = [
    [9, 3, 64],
    [32, 8, 128],
    [4, 2, 32],
    [8, 8, 96],
    [2, 1, 512],
  ] as const;
  return (['f16', 'f32', 'q8'] as const).flatMap((kv) =>
    shapes.map(([heads, kvHeads, headLength]) => ({ heads, kvHeads, headLength, rotaryLength: headLength, kv, blockLength: 16, poolFold: 3, lanes, layout })),
  );
}

function latentShapes(lanes: number): LatentShape[] {
  const shapes = [
    [128, 576, 512],
    [4, 128, 96],
    [20, 152, 136],
  ] as const;
  const common = { kvHeads: 1, blockLength: 16, poolFold: 3, lanes, layout } as const;
  return (['f16', 'f32'] as const).flatMap((kv) =>
    shapes.map(([heads, headLength, latentLength]) => ({ ...common, heads, headLength, latentLength, rotaryLength: headLength - latentLength, kv })),
  );
}

/** DeepSeek-V4's layers at their real sizes, and a small one whose entries end in the middle of a vector. */
function compressedVariants(lanes: number, place: Place): Variant[] {
  const common = { lanes, layout, blockLength: 16, poolFold: 3 } as const;
  const real = { ...common, window: 128, headLength: 512, heads: 64, rotaryLength: 64, indexHeads: 64, topK: 512 } as const;
  const small = { ...common, window: 8, headLength: 40, heads: 3, rotaryLength: 8, indexHeads: 12, topK: 5 } as const;
  const shapes = (['f16', 'f32'] as const).flatMap((kv): CompressedShape[] => [
    { ...real, kv, ratio: 0, indexLength: 0 },
    { ...real, kv, ratio: 128, indexLength: 0 },
    { ...real, kv, ratio: 4, indexLength: 128 },
    { ...small, kv, ratio: 4, indexLength: 24 },
  ]);
  const made = shapes.filter(({ ratio }) => ratio > 0);
  const indexed = shapes.filter(({ indexLength }) => indexLength > 0);
  return [
    ...shapes.flatMap((shape) => [
      attentionCompressedVariant(shape, place, shape.ratio === 0 ? 'buffer' : place),
      recallRowsVariant(shape, 'buffer'),
      keepRowsVariant(shape, 'window', 'buffer'),
    ]),
    ...made.flatMap((shape) => [compressVariant(shape, 'entry', place), keepRowsVariant(shape, 'raw', place)]),
    ...indexed.flatMap((shape) => [
      compressVariant(shape, 'index', place),
      indexScoresVariant(entryIndex(shape), 20, place),
      ...(['narrow', 'wide'] as const).map((family) => chooseKeysVariant(entryIndex(shape), 20, { lanes, family })),
    ]),
    ...(['none', 'rms', 'rms_unweighted'] as const).map((norm, i) =>
      turnedVariant({ heads: 3, headLength: 64, rotaryLength: 16, norm, behind: i * 8, lanes, layout }, place, i === 1 ? 'buffer' : place),
    ),
    ...[true, false].map((joins) => streamsMixVariant(128, joins, place, lanes)),
    streamsJoinVariant(128, place, lanes),
    ...[true, false].map((isAdded) => streamsStartVariant(128, place, lanes, isAdded)),
    routerTableVariant({ experts: 6, topK: 2, score: 'sqrtsoftplus', isBiased: true, renormalizes: true, scale: 1 }, 8, place, lanes, layout),
  ];
}

/** All around latent rows; storages take turns. */
function latentVariants(lanes: number, place: Place): Variant[] {
  const places = { weights: place, x: place, y: place };
  const unit = matrixUnits[1];
  return [
    ...latentShapes(lanes).flatMap((shape) => [
      attentionVariant(shape, place),
      attentionMergeVariant(shape, place),
      clearBlocksVariant(shape, place),
      ...Object.values(copyBlocksVariants(shape, place)),
      latentRowsVariant(shape, place),
      ...attentionWideVariants(shape, place),
      ...(shape.kv === 'f16' ? attentionWideVariants(shape, place, false, unit).slice(1) : []),
    ]),
    ...(['F16', 'FP8', 'Q6_K', 'Q4_0', 'IQ2_S', 'NF4'] as const).flatMap((storage, i) => {
      const family = i % 2 === 0 ? ('narrow' as const) : ('wide' as const);
      const choice = { storage, activations: 'f32' as const, places, lanes, family, layout, isNormed: false, rows: 64, columns: 64, over: 'tokens' as const };
      const shape = latentShapes(lanes)[i];
      return [
        ...(shape === undefined
          ? []
          : latentQueriesVariants(shape, { storage, rowsAre: i % 3 === 0 ? 'latent' : 'plain', inputLength: 128 }, places, { lanes, family })),
        ...matmulVariants({ ...choice, finish: 'store', isByHead: true }),
      ];
    }),
  ];
}

/** An indexer beside latent rows, and attention over what it chose. */
function indexVariants(lanes: number, place: Place): Variant[] {
  return latentShapes(lanes).flatMap((latent, i) => {
    const own = { ...latent, indexLength: i % 2 === 0 ? 128 : 40, indexHeads: 32, topK: 12, rotaryLength: 16 };
    const shape = { ...own, entries: tokenEntries(own) };
    return [
      indexRowsVariant(shape, { rowLength: shape.indexLength + 32 }, place),
      indexRowsVariant(shape, { rowLength: shape.indexLength + 32, pairs: 'halfSplit', rotaryStart: 8 }, place),
      indexScoresVariant(shape, 100, place),
      ...(['narrow', 'wide'] as const).map((family) => chooseKeysVariant(shape, 100, { lanes, family })),
      ...[true, false].flatMap((hasSinks) => [attentionVariant(shape, place, hasSinks), ...attentionWideVariants(shape, place, hasSinks)]),
      clearBlocksVariant(shape, place),
    ];
  });
}

/** Attention with its options, and what splits heads for it. */
function optionVariants(lanes: number, place: Place): Variant[] {
  const slice = {} as Slice;
  const norm = { query: slice, key: slice, epsilon: 1e-6 };
  return attentionShapes(lanes).flatMap((shape) => [
    attentionVariant({ ...shape, window: 128, softcap: 50 }, place),
    attentionVariant({ ...shape, window: 128 }, place, true),
    attentionMergeVariant(shape, place, true),
    headsVariant(shape, {}, place),
    headsVariant(shape, { pairs: 'halfSplit', norm }, place),
    headsVariant({ ...shape, rotaryLength: 16 }, { pairs: 'halfSplit', rotaryStart: 8, norm: { ...norm, ofValues: true }, sharesKeys: true }, place),
  ]);
}

function matmuls(lanes: number, place: Place): Variant[] {
  return storages.flatMap((storage) =>
    (packedStorages[storage].hasInt8 ? (['f32', 'int8'] as const) : (['f32'] as const)).flatMap((activations) => {
      const places = { weights: place, x: place, y: place };
      const choice = {
        storage,
        activations,
        places,
        lanes,
        layout,
        isNormed: true,
        rows: 64,
        columns: 64,
        over: 'tokens' as const,
        finish: 'store' as const,
      };
      return [
        ...matmulVariants({ ...choice, places: { ...places, y: 'buffer' }, over: 'logitRows' }),
        ...matmulVariants({ ...choice, isNormed: false, finish: 'add' }),
        ...matmulVariants({ ...choice, finish: 'gated', activation: 'silu' }),
        ...attentionShapes(lanes)
          .filter(({ kv }) => kv !== 'q8')
          .slice(0, 6)
          .flatMap((shape) => matmulVariants(choice, shape)),
      ];
    }),
  );
}

const activationFunctions: ActivationFunction[] = ['none', 'silu', 'gelu', 'gelu_tanh', 'gelu_quick', 'relu', 'relu_squared', 'sigmoid', 'tanh', 'soft_cap'];
const routers: RouterShape[] = [
  { experts: 128, topK: 8, score: 'softmax', isBiased: false, renormalizes: true, scale: 1 },
  { experts: 256, topK: 8, score: 'sigmoid', isBiased: true, renormalizes: true, scale: 2.5, groups: { count: 8, choices: 4, top: 2 } },
  { experts: 12, topK: 3, score: 'sqrtsoftplus', isBiased: true, renormalizes: false, scale: 1 },
];

/** Biases, activation functions and experts, each with one storage: they know nothing of it. */
function otherMatmuls(lanes: number, place: Place): Variant[] {
  const places = { weights: place, x: place, y: place };
  const shared = { activations: 'f32' as const, places, lanes, layout, isNormed: false, rows: 64, columns: 64, over: 'tokens' as const, isBiased: true };
  const constants = routeConstants({ experts: 128, topK: 8, score: 'softmax', isBiased: false, renormalizes: true, scale: 1 }, 8);
  const tiles = [{ tokens: 1, quads: 2 }];
  return [
    ...activationFunctions.flatMap((activation) => [
      ...matmulVariants({ ...shared, storage: 'Q4_K', finish: 'store', activation, tiles }),
      ...matmulVariants({ ...shared, storage: 'F16', finish: 'gated', activation, isBiased: false, tiles }),
      gatedVariant(activation, place, lanes),
    ]),
    ...matmulVariants({ ...shared, storage: 'F16', finish: 'add' }),
    ...matmulVariants({ ...shared, storage: 'Q4_1', activations: 'int8', finish: 'gated', activation: 'silu' }),
    ...attentionShapes(lanes)
      .slice(0, 1)
      .flatMap((shape) => matmulVariants({ ...shared, storage: 'F16', finish: 'store' }, shape)),
    ...(['expert', 'experts'] as const).flatMap((rows) => [
      ...matmulVariants({ ...shared, storage: 'MXFP4', finish: 'gated', activation: 'gelu_quick', experts: { rows, constants } }),
      ...matmulVariants({ ...shared, storage: 'Q4_K', isNormed: true, isBiased: false, finish: 'store', experts: { rows, constants } }),
    ]),
  ];
}

/** Layers with recurrent state, as Qwen3-Next and Qwen3.5 have them. */
function deltaVariants(lanes: number, place: Place): Variant[] {
  const plain = { keyHeads: 16, valueHeads: 32, keyLength: 128, valueLength: 128, taps: 4, grouped: 'no', isTiled: false } as const;
  const shapes: DeltaShape[] = [plain, { ...plain, grouped: 'all' }, { ...plain, valueHeads: 48, isTiled: true }];
  const gates = { heads: 32, headLength: 128, rowLength: 12_352, start: 8192, pitch: 256, group: 2 };
  return [
    ...shapes.flatMap((shape) => [deltaInputsVariant, deltaRuleVariant].map((create) => create(shape, place, { lanes, layout }))),
    clearStatesVariant(4096, { lanes, layout }),
    gatedHeadsVariant({ ...gates, activation: 'silu' }, true, place, lanes),
    gatedHeadsVariant({ ...gates, activation: 'sigmoid' }, false, place, lanes),
    gatedHeadsVariant({ ...gates, heads: 1, activation: 'sigmoid', isShared: true }, false, place, lanes),
  ];
}

/** 8 x 8 x 8 and 16 x 16 x 16 are the shapes of Apple and of everyone else. */
const matrixUnits = [8, 16].flatMap((side): MatrixUnit[] => [
  { m: side, n: side, k: side, element: 'f16', form: 'native' },
  { m: side, n: side, k: side, element: 'f16', form: 'emulated' },
  { m: side, n: side, k: side, element: 'f32', form: 'emulated' },
]);

/** As NVIDIA, AMD and Intel have them, and the smallest. */
const int8Units = (['native', 'emulated'] as const).flatMap((form): MatrixUnit[] => [
  { m: 16, n: 16, k: 32, element: 'i8', form },
  { m: 16, n: 16, k: 16, element: 'i8', form },
  { m: 8, n: 16, k: 32, element: 'i8', form },
  { m: 8, n: 8, k: 16, element: 'i8', form },
]);

/** Native units want workgroups of a multiple of the largest subgroup, on the null device 128. */
function fits({ m, n, form }: MatrixUnit, lanes: number): boolean {
  const fragments = (32 / m) * (64 / n);
  return form === 'emulated' || lanes * Math.min(128 / lanes, fragments) >= 128;
}

/** int8 on matrix units: formats, units and ends take turns. */
function int8Matmuls(lanes: number): Variant[] {
  const places = { weights: 'buffer', x: 'buffer', y: 'buffer' } as const;
  const some = storages.filter((storage) => packedStorages[storage].hasInt8);
  return int8Units
    .filter((unit) => fits(unit, lanes))
    .flatMap((int8Unit, i) => {
      const storage = some[i % some.length] ?? 'Q4_1';
      const shared = {
        activations: 'int8' as const,
        places,
        lanes,
        layout,
        rows: 64,
        columns: 64,
        family: 'matrix' as const,
        int8Unit,
        finish: 'store' as const,
      };
      const choice = { ...shared, storage, isNormed: i % 2 === 0, over: 'tokens' as const };
      const constants = routeConstants({ experts: 128, topK: 8, score: 'softmax', isBiased: false, renormalizes: true, scale: 1 }, 8);
      return [
        matmulVariants({ ...choice, over: 'logitRows' }),
        matmulVariants({ ...choice, finish: 'add', isBiased: true }),
        matmulVariants({ ...choice, finish: 'gated', activation: 'silu' }),
        matmulVariants({ ...choice, experts: { rows: 'experts', hasSlots: i % 2 === 0, constants } }),
        ...attentionShapes(lanes)
          .slice(i % 4, (i % 4) + 1)
          .map((shape) => matmulVariants(choice, shape)),
      ].flatMap((all) => all.slice(-1));
    });
}

/** The families for GPUs, with every end; their formats take turns. */
function gpuMatmuls(lanes: number): Variant[] {
  const places = { weights: 'buffer', x: 'buffer', y: 'buffer' } as const;
  return storages.flatMap((storage, i) => {
    const choice = { storage, activations: 'f32' as const, places, lanes, layout, isNormed: i % 2 === 0, rows: 64, columns: 64, over: 'tokens' as const };
    const shape = attentionShapes(lanes)[i % 4];
    const finishes = ['store', 'add', 'gated'] as const;
    const finish = finishes[i % 3] ?? 'store';
    const unit = matrixUnits[i % matrixUnits.length];
    return [
      ...matmulVariants({ ...choice, finish, family: 'wide' }),
      ...(i % 4 === 1 ? matmulVariants({ ...choice, finish: 'store', family: 'wide' }, shape) : []),
      ...(unit !== undefined && fits(unit, lanes) ? matmulVariants({ ...choice, finish, family: 'matrix', matrixUnit: unit }).slice(-1) : []),
    ];
  });
}

function variants(lanes: number, place: Place): Variant[] {
  return [
    ...(place === 'buffer' ? [...gpuMatmuls(lanes), ...int8Matmuls(lanes)] : []),
    ...attentionShapes(lanes).flatMap((shape) => [
      ...attentionWideVariants(shape, place),
      ...attentionWideVariants({ ...shape, window: 128, softcap: 50 }, place, true),
    ]),
    ...attentionShapes(lanes)
      .filter(({ kv }) => kv !== 'f32')
      .flatMap((shape) =>
        matrixUnits.flatMap((unit, i) => attentionWideVariants({ ...shape, ...(i % 2 && { window: 128, softcap: 50 }) }, place, i > 2, unit).slice(1)),
      ),
    ...matmuls(lanes, place),
    ...otherMatmuls(lanes, place),
    ...routers.flatMap((shape) => [
      routerVariant(shape, 8, place, lanes),
      expertsSortVariant(shape, 8, lanes),
      ...[true, false].map((isAdded) => expertsSumVariant(shape, 8, isAdded, place, lanes)),
    ]),
    ...(['rms', 'rms_unweighted', 'layer'] as const).flatMap((kind) =>
      [true, false].map((isAdded) => normRowsVariant({ kind, isAdded, columns: 64, place }, lanes)),
    ),
    ...(['position', 'first', 'next'] as const).map((lookup) => embedVariant('F32', { weights: place, y: place }, lanes, layout, { lookup, isAdded: true })),
    ...(['mean', 'cls', 'max'] as const).map((pooling) => poolVariant(pooling, place, lanes, layout)),
    softmaxVariant(place, lanes),
    topKVariant(40, 8, place, lanes),
    ...storages.flatMap((storage) => [embedVariant(storage, { weights: place, y: place }, lanes, layout), repackVariant(storage, place)]),
    ...attentionShapes(lanes).flatMap((shape) => [
      attentionVariant(shape, place),
      attentionMergeVariant(shape, place),
      clearBlocksVariant(shape, place),
      ...Object.values(copyBlocksVariants(shape, place)),
    ]),
    ...optionVariants(lanes, place),
    ...deltaVariants(lanes, place),
    ...latentVariants(lanes, place),
    ...indexVariants(lanes, place),
    ...compressedVariants(lanes, place),
    ...[true, false].flatMap((isNormed) =>
      [true, false].map((isGathered) => permuteVariant({ places: { x: place, y: place }, isNormed, isGathered, columns: 64, lanes, layout })),
    ),
    sampleVariant({ lanes, isWorkgroup: false }, layout),
    sampleVariant({ lanes: 256, isWorkgroup: true }, layout),
    sampleVariant({ lanes, isWorkgroup: false }, layout, true),
    embedVariant('F32', { weights: place, y: place }, lanes, layout, { lookup: 'next', isAdded: false }),
  ];
}

/** Lanes and places of lavapipe first. */
const machines = [8, 4, 16, 32, 64].flatMap((lanes) => [
  { lanes, pin: false, place: 'texture' as const, hasSubgroups: true },
  { lanes, pin: false, place: 'buffer' as const, hasSubgroups: true },
  { lanes, pin: true, place: 'buffer' as const, hasSubgroups: true },
  ...(lanes === 8 || lanes === 32 ? [{ lanes, pin: false, place: 'buffer' as const, hasSubgroups: false }] : []),
]);

describe.each(sampleCases('subgroups and places', machines, 4, machines.slice(0, 1)))(
  'subgroups of $lanes, pinned: $pin, in a $place, native: $hasSubgroups',
  ({ lanes, pin, place, hasSubgroups }) => {
    it('every variant compiles and binds', async () => {
      const { device } = hasSubgroups ? open : openWithout;
      const pipelines = new PipelineCache(device, pin);
      const buffer = device.createBuffer({ size: 65536, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
      const texture = (kind: BindingKind): { texture: GPUTexture; view: GPUTextureView } => {
        const made = device.createTexture({
          size: [8, 8],
          format: kind.endsWith('uint') ? 'rgba32uint' : 'rgba32float',
          usage: GPUTextureUsage.STORAGE_BINDING,
        });
        return { texture: made, view: made.createView() };
      };
      const all = variants(lanes, place).filter(({ label }) => hasSubgroups || !/f16-|native/.test(label));
      expect(all.length).toBeGreaterThan(100);
      for (const variant of sampleCases('variants', all, Math.ceil(all.length / 12))) {
        device.pushErrorScope('validation');
        const pipeline = await pipelines.get(variant);
        // Slices apart from each other: writable ones may not overlap.
        pipelines.bind(
          pipeline,
          variant.bindings.map((kind, i) => (kind.includes(' ') ? texture(kind) : { buffer, offset: i * 4096, size: 4096 })),
        );
        const error = await device.popErrorScope();
        expect(error?.message, variant.label).toBeUndefined();
      }
    });
  },
);

describe.each(['narrow', 'wide', 'matrix'] as const)('candidates on a device whose family is %s', (family) => {
  const unit: MatrixUnit = { m: 16, n: 16, k: 16, element: 'f16', form: 'native' };
  const works = (['store', 'gated'] as const).flatMap((finish) => (['f32', 'int8'] as const).map((activations) => ({ finish, activations })));

  it.each([4, 8, 32])('%i lanes: tiles ascend, lists differ, all compile', async (lanes) => {
    const places = { weights: 'buffer', x: 'buffer', y: 'buffer' } as const;
    const pipelines = new PipelineCache(open.device, true);
    for (const { finish, activations } of works) {
      const matrixUnit: MatrixUnit = lanes < 32 ? { ...unit, form: 'emulated' } : unit;
      const int8Unit: MatrixUnit = { ...matrixUnit, k: 32, element: 'i8' };
      const tiles = candidateTiles({ lanes, family, matrixUnit, int8Unit }, { activations, finish });
      expect(new Set(tiles.map(tileName)).size).toBe(tiles.length);
      expect(tiles.map(({ tokens }) => tokens)).toEqual(tiles.map(({ tokens }) => tokens).toSorted((a, b) => a - b));
      const choice = { storage: 'Q4_0', activations, places, lanes, layout, isNormed: true, rows: 64, columns: 64, over: 'tokens', finish, tiles } as const;
      for (const variant of matmulVariants(choice)) await pipelines.get(variant);
    }
  });
});

const { includes: attentionIncludes = {} } = attentionVariant(
  { heads: 1, kvHeads: 1, headLength: 8, rotaryLength: 8, kv: 'f16', blockLength: 16, poolFold: 1, lanes: 8, layout },
  'buffer',
);

describe('compose', () => {
  it('puts directives first, constants next, each include once', () => {
    const text = compose({
      file: 'attention.wgsl',
      includes: attentionIncludes,
      constants: { LANES: 8, GATHER: true, GROUP_TILE: 1, QUADS: 1, LANE_VECTORS: 1, VECTOR_QUADS: 1, HEAD_VECTORS: 1, KEY_LOADS: 1, VALUE_LOADS: 8 },
    });
    expect(text.startsWith('enable subgroups;\nconst LANES = 8u;\nconst GATHER = true;')).toBe(true);
    expect(text.match(/fn lanesSum\(/g)).toHaveLength(1);
    expect(text).not.toContain('#include');
  });

  it('refuses an include that the variant does not name', () => {
    expect(() => compose({ file: 'attention.wgsl' })).toThrow('attention.wgsl: no file given for #include ');
  });

  it('a kernel that does not compile is named', async () => {
    const broken: Variant = { label: 'broken/one', file: 'clear_blocks.wgsl', includes: { PLACE_STORED: 'place/stored_buffer.wgsl' }, bindings: ['read'] };
    open.device.pushErrorScope('validation');
    await expect(new PipelineCache(open.device).get(broken)).rejects.toThrow(/^kernel broken\/one does not compile: line \d+: unresolved/);
    await open.device.popErrorScope();
  });
});
