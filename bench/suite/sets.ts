/**
 * Owns the sets of cases of the kernel bench by name, and the chains of matrices that each is compared with peers on. Pure. A new
 * shape is a line here.
 */
import { columnStep, packedStorages, type StorageWithKernels } from '../../kernels/weights.ts';
import { type ChainPlan, chainPlans } from '../kernels/chain.ts';
import { type Case, nameCase } from './cases.ts';

interface CaseSet {
  readonly cases: readonly Case[];
  readonly chains: readonly ChainPlan[];
}

const storages = Object.keys(packedStorages) as StorageWithKernels[];
/** What most files have; the other storages are measured on one shape. */
const main: readonly StorageWithKernels[] = ['F16', 'Q4_0', 'Q4_1', 'Q8_0', 'Q4_K', 'Q6_K'];
const single = [1] as const;
const short = [1, 128] as const;
const tokenCounts = [1, 8, 128] as const;

/** Columns to match what the storage takes. */
function matmuls(storage: StorageWithKernels, rows: number, columns: number, tokens: readonly number[], kind: 'matmul' | 'gate and up' = 'matmul'): Case[] {
  const step = columnStep(storage);
  return tokens.map((count) => ({ kind, storage, rows, columns: Math.ceil(columns / step) * step, tokens: count }));
}

type Heads = Omit<Extract<Case, { kind: 'attention' }>, 'kind' | 'kv' | 'positions' | 'tokens'>;

/** Decoding at several lengths, and a chunk of a prefill. */
function attentions(heads: Heads, kv: Extract<Case, { kind: 'attention' }>['kv'], lengths: readonly number[] = [128, 512, 2048]): Case[] {
  const chunk = { positions: 512, tokens: 64 };
  return [...lengths.map((positions) => ({ positions, tokens: 1 })), chunk].map((sizes): Case => ({ kind: 'attention', ...heads, kv, ...sizes }));
}

/** As in Qwen3.5 0.8B. */
function deltaCases(): Case[] {
  return [1, 64].map((tokens): Case => ({ kind: 'delta rule', keyHeads: 16, valueHeads: 16, keyLength: 128, valueLength: 128, tokens }));
}

/** A gated unit alone. */
function gatedCases(columns: number): Case[] {
  return short.map((tokens): Case => ({ kind: 'gated', columns, tokens }));
}

/** With int8 activations, beside the same with f32. */
function asInt8(cases: readonly Case[]): Case[] {
  return cases.map((one): Case => (one.kind === 'matmul' || one.kind === 'gate and up' ? { ...one, activations: 'int8' } : one));
}

function samples(vocabulary: number): Case[] {
  return [
    [1, false],
    [1, true],
    [8, true],
  ].map(([rows, isDrawn]) => ({ kind: 'sample', vocabulary, rows: Number(rows), isDrawn: isDrawn === true }) satisfies Case);
}

/** Key and value weights of 16 of the 128 heads of DeepSeek-V3. */
function latents(storage: StorageWithKernels, tokens: readonly number[]): Case[] {
  return tokens.flatMap((count) =>
    (['latent queries', 'head matmul'] as const).map((kind): Case => ({ kind, storage, heads: 16, rows: 128, columns: 512, tokens: count })),
  );
}

/** An indexer at the sizes of GLM-5 (a key a token), or of DeepSeek-V4 (a key for four). */
function indexers(entryTokens: 1 | 4, entries: number, tokens: readonly number[]): Case[] {
  const own = entryTokens === 1 ? { heads: 32, topK: 2048 } : { heads: 64, topK: 512 };
  return tokens.flatMap((count): Case[] => [
    { kind: 'index scores', entryTokens, entries, heads: own.heads, length: 128, tokens: count },
    { kind: 'index choice', entryTokens, entries, topK: own.topK, tokens: count },
  ]);
}

/** The rest of what DeepSeek-V4-Flash alone has: streams, experts by a table, and attention of 8 of its 64 heads over chosen and over all entries. */
function compressedCases(positions: number, tokens: readonly number[]): Case[] {
  const heads = { heads: 8, headLength: 512, window: 128 };
  return tokens.flatMap((count): Case[] => [
    { kind: 'streams', columns: 4096, turns: 20, tokens: count },
    { kind: 'expert table', experts: 256, topK: 6, tokens: count },
    { kind: 'compressed attention', ...heads, ratio: 4, positions, topK: 512, tokens: count },
    { kind: 'compressed attention', ...heads, ratio: 128, positions, topK: positions / 128, tokens: count },
  ]);
}

/** The shapes of SmolLM2-135M, and squares as in a model of 1B; every storage on one of them at least. */
const standard: CaseSet = {
  cases: [
    ...main.flatMap((storage) =>
      [
        [1536, 576],
        [576, 1536],
        [2048, 2048],
      ].flatMap(([rows = 0, columns = 0]) => matmuls(storage, rows, columns, tokenCounts)),
    ),
    ...storages.filter((storage) => !main.includes(storage)).flatMap((storage) => matmuls(storage, 2048, 2048, short)),
    ...matmuls('Q4_1', 1536, 576, tokenCounts, 'gate and up'),
    ...asInt8(main.filter((storage) => packedStorages[storage].hasInt8).flatMap((storage) => matmuls(storage, 2048, 2048, tokenCounts))),
    ...asInt8(matmuls('Q4_1', 1536, 576, tokenCounts, 'gate and up')),
    ...(['Q8_0', 'Q4_K'] as const).map((storage): Case => ({ kind: 'embed', storage, rows: 8192, columns: 2048, tokens: 128 })),
    ...storages.map((storage): Case => ({ kind: 'repack', storage, rows: 2048, columns: 2048 })),
    ...attentions({ heads: 9, kvHeads: 3, headLength: 64 }, 'f16'),
    ...attentions({ heads: 9, kvHeads: 3, headLength: 64 }, 'f32'),
    ...attentions({ heads: 32, kvHeads: 8, headLength: 128 }, 'f16'),
    ...latents('Q4_1', single),
    ...indexers(1, 4096, single),
    ...indexers(4, 4096, single),
    ...compressedCases(16_384, single),
    ...deltaCases(),
    ...gatedCases(1536),
    ...samples(49_152),
  ],
  chains: [
    ...chainPlans,
    ...(['Q4_K', 'Q6_K', 'Q8_0'] as const).map(
      (storage): ChainPlan => ({ name: `${storage} 2048 x 2048`, shapes: [{ rows: 2048, columns: 2048, storage }], turns: 8 }),
    ),
  ],
};

/** Gemma 3 270M in Q4_K_M: rows of 640 are no multiple of 256, so those matrices fall back to Q5_0 and Q8_0. */
const gemma: CaseSet = {
  cases: [
    ...matmuls('Q5_0', 1024, 640, tokenCounts),
    ...matmuls('Q5_0', 256, 640, tokenCounts),
    ...matmuls('Q8_0', 256, 640, tokenCounts),
    ...matmuls('Q4_K', 640, 1024, tokenCounts),
    ...matmuls('Q5_0', 2048, 640, tokenCounts),
    ...matmuls('Q6_K', 640, 2048, tokenCounts),
    ...matmuls('Q4_K', 640, 2048, tokenCounts),
    ...matmuls('Q8_0', 262_144, 640, [1, 8]),
    { kind: 'embed', storage: 'Q8_0', rows: 262_144, columns: 640, tokens: 128 },
    ...attentions({ heads: 4, kvHeads: 1, headLength: 256 }, 'f16'),
    ...gatedCases(2048),
    ...samples(262_144),
  ],
  chains: [
    {
      name: 'query Q5_0 1024 x 640, output Q4_K 640 x 1024',
      shapes: [
        { rows: 1024, columns: 640, storage: 'Q5_0' },
        { rows: 640, columns: 1024, storage: 'Q4_K' },
      ],
      turns: 18,
    },
    {
      name: 'up Q5_0 2048 x 640, down Q6_K 640 x 2048',
      shapes: [
        { rows: 2048, columns: 640, storage: 'Q5_0' },
        { rows: 640, columns: 2048, storage: 'Q6_K' },
      ],
      turns: 12,
    },
    // Logits are of few rows.
    { name: 'logits Q8_0 262144 x 640', shapes: [{ rows: 262_144, columns: 640, storage: 'Q8_0' }], turns: 1, tokens: single },
  ],
};

/** Llama 3.1 8B, for GPUs: most of these do not fit their caches. */
const llama: CaseSet = {
  cases: [
    ...(['Q4_K', 'Q4_0'] as const).flatMap((storage) => matmuls(storage, 6144, 4096, [1, 8, 128])),
    ...matmuls('Q4_K', 4096, 4096, [1, 8, 128]),
    ...(['Q4_K', 'Q4_0', 'Q8_0', 'F16'] as const).flatMap((storage) => matmuls(storage, 14_336, 4096, [1, 8, 128, 512], 'gate and up')),
    ...matmuls('Q4_K', 4096, 14_336, [1, 8, 128, 512]),
    ...matmuls('Q6_K', 128_256, 4096, [1, 8]),
    ...attentions({ heads: 32, kvHeads: 8, headLength: 128 }, 'f16', [128, 512, 2048, 8192]),
    ...attentions({ heads: 32, kvHeads: 8, headLength: 128 }, 'f32', [2048]),
    ...gatedCases(14_336),
    ...samples(128_256),
  ],
  chains: [],
};

/** Latent attention of DeepSeek-V3, for 16 of its 128 heads. */
const deepseek: CaseSet = {
  cases: [
    ...attentions({ heads: 16, kvHeads: 1, headLength: 576, latentLength: 512 }, 'f16'),
    ...latents('FP8', short),
    ...matmuls('FP8', 3072, 1536, short),
    ...matmuls('FP8', 576, 7168, short),
  ],
  chains: [],
};

/** What DeepSeek-V4-Flash has: matrices of FP8 in blocks, experts in FP4, a long context in entries. */
const deepseekV4: CaseSet = {
  cases: [
    ...indexers(4, 4096, short),
    ...indexers(4, 32_768, single),
    ...compressedCases(16_384, short),
    ...matmuls('FP8', 1024, 4096, short),
    ...matmuls('FP8', 8192, 1024, short),
    ...matmuls('FP4', 2048, 4096, short),
    ...matmuls('FP4', 4096, 2048, short),
  ],
  chains: [],
};

/** What GLM-5.2 has: latents of 16 of its 64 heads over chosen tokens, and its indexer. */
const glm5: CaseSet = {
  cases: [
    ...indexers(1, 4096, short),
    ...indexers(1, 32_768, single),
    ...[1, 64].map(
      (tokens): Case => ({ kind: 'attention', heads: 16, kvHeads: 1, headLength: 576, latentLength: 512, topK: 2048, kv: 'f16', positions: 8192, tokens }),
    ),
    ...matmuls('FP8', 2048, 6144, short),
  ],
  chains: [],
};

export const setNames = ['standard', 'gemma3-270m', 'llama3-8b', 'deepseek-v3', 'deepseek-v4', 'glm-5'] as const;
export type SetName = (typeof setNames)[number];
export const sets: Readonly<Record<SetName, CaseSet>> = {
  standard,
  'gemma3-270m': gemma,
  'llama3-8b': llama,
  'deepseek-v3': deepseek,
  'deepseek-v4': deepseekV4,
  'glm-5': glm5,
};

/** What of a set has a name that contains `filter`, whatever the case of its letters. */
export function chooseFrom(set: SetName, filter = ''): CaseSet {
  const { cases, chains } = sets[set];
  const fits = (name: string): boolean => name.toLowerCase().includes(filter.toLowerCase());
  return { cases: cases.filter((one) => fits(nameCase(one))), chains: chains.filter(({ name }) => fits(`chain ${name}`)) };
}
