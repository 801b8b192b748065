/** Every variant that the engine can choose, compiled and bound on Dawn's null backend: no GPU, no driver. */
import { beforeAll, describe, expect, it } from 'vitest';
import { quantizeVariant, rmsNormVariant, swigluVariant } from '../../kernels/activations.ts';
import { type AttentionShape, attentionMergeVariant, attentionVariant, clearBlocksVariant } from '../../kernels/attention.ts';
import { compose } from '../../kernels/compose.ts';
import { embedVariant } from '../../kernels/embed.ts';
import { headsVariant } from '../../kernels/heads.ts';
import type { BindingKind, Place, Slice, Variant } from '../../kernels/kernel.ts';
import { matmulVariants } from '../../kernels/matmul.ts';
import { PipelineCache } from '../../kernels/pipeline.ts';
import { repackVariant } from '../../kernels/repack.ts';
import { sampleVariant } from '../../kernels/sample.ts';
import { packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { Batch } from '../../runtime/batch.ts';
import { type OpenDevice, openNullDevice } from '../../runtime/device.ts';

const { layout } = new Batch({ maxTokens: 8, maxSequences: 2, maxLogitRows: 4, contextLength: 64, blockCount: 8, blockLength: 16, maxEdits: 64 });
const storages = Object.keys(packedStorages) as StorageWithKernels[];
const isFull = process.env['INWARD_FULL'] === '1';

let open: OpenDevice;
beforeAll(async () => {
  open = await openNullDevice();
});

function attentionShapes(lanes: number): AttentionShape[] {
  const shapes = [
    [9, 3, 64],
    [32, 8, 128],
    [4, 2, 32],
    [8, 8, 96],
  ] as const;
  return (['f16', 'f32', 'q8'] as const).flatMap((kv) =>
    shapes.map(([heads, kvHeads, headLength]) => ({ heads, kvHeads, headLength, rotaryLength: headLength, kv, blockLength: 16, poolFold: 3, lanes, layout })),
  );
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
      const places = { weights: place, x: activations === 'int8' ? ('buffer' as const) : place, y: place };
      const choice = {
        storage,
        activations,
        places,
        lanes,
        layout,
        isNormed: activations === 'f32',
        columns: 64,
        over: 'tokens' as const,
        finish: 'store' as const,
      };
      return [
        ...matmulVariants({ ...choice, places: { ...places, y: 'buffer' }, over: 'logitRows' }),
        ...matmulVariants({ ...choice, isNormed: false, finish: 'add' }),
        ...matmulVariants({ ...choice, finish: 'swiglu' }),
        ...attentionShapes(lanes)
          .filter(({ kv }) => kv !== 'q8')
          .slice(0, 5)
          .flatMap((shape) => matmulVariants(choice, shape)),
      ];
    }),
  );
}

function variants(lanes: number, place: Place): Variant[] {
  return [
    ...matmuls(lanes, place),
    ...storages.flatMap((storage) => [embedVariant(storage, { weights: place, y: place }, lanes, layout), repackVariant(storage, place)]),
    ...attentionShapes(lanes).flatMap((shape) => [attentionVariant(shape, place), attentionMergeVariant(shape, place), clearBlocksVariant(shape, place)]),
    ...optionVariants(lanes, place),
    ...[true, false].map((gather) => rmsNormVariant(gather, place, 64, lanes, layout)),
    quantizeVariant(place, lanes),
    swigluVariant(place, lanes),
    sampleVariant(lanes, layout),
  ];
}

describe.each(
  [4, 8, 16, 32].flatMap((lanes) => [
    { lanes, pin: false, place: 'buffer' as const },
    { lanes, pin: true, place: 'buffer' as const },
    { lanes, pin: false, place: 'texture' as const },
  ]),
)('subgroups of $lanes, pinned: $pin, in a $place', ({ lanes, pin, place }) => {
  it('every variant compiles and binds', async () => {
    const { device } = open;
    const pipelines = new PipelineCache(device, pin);
    const buffer = device.createBuffer({ size: 65536, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    const texture = (kind: BindingKind): { texture: GPUTexture; view: GPUTextureView } => {
      const made = device.createTexture({ size: [8, 8], format: kind.endsWith('uint') ? 'rgba32uint' : 'rgba32float', usage: GPUTextureUsage.STORAGE_BINDING });
      return { texture: made, view: made.createView() };
    };
    const all = variants(lanes, place);
    expect(all.length).toBeGreaterThan(100);
    // Every variant for the lanes and places of lavapipe; for the others a part, unless everything is to run.
    const isWhole = isFull || (lanes === 8 && place === 'texture');
    for (const variant of all.filter((_, i) => isWhole || i % 5 === lanes % 5)) {
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
      constants: { LANES: 8, GATHER: true, GROUP_TILE: 1, QUADS: 1, VECTORS: 1, VECTOR_QUADS: 1, HEAD_VECTORS: 1, KEY_LOADS: 1, VALUE_LOADS: 8 },
    });
    expect(text.startsWith('enable subgroups;\nconst LANES = 8u;\nconst GATHER = true;')).toBe(true);
    expect(text.match(/fn lanesSum/g)).toHaveLength(1);
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
