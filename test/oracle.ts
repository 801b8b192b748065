/**
 * Owns the reading of oracle fixtures: a tiny random model beside what Hugging Face transformers computes with it
 * (test/fixtures/oracles/README.md). Refuses to know how a model is run.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const fixtures = join(import.meta.dirname, 'fixtures/oracles');

export const promptNames = ['len1', 'len7', 'len33', 'long', 'batch0', 'batch1', 'batch2', 'batch3'] as const;
export type PromptName = (typeof promptNames)[number];

export interface OraclePrompt {
  readonly ids: Uint32Array;
  /** 24 tokens. */
  readonly greedy: readonly number[];
  readonly lastLogits: Float32Array;
  readonly lastLogits64: Float64Array;
  /** [position][5], at the prompt's positions. */
  readonly topIds: readonly (readonly number[])[];
  readonly topLogits: readonly (readonly number[])[];
  /** [step][5], at the greedy steps. */
  readonly greedyTopIds: readonly (readonly number[])[];
  readonly greedyTopLogits: readonly (readonly number[])[];
  /** Of the last greedy step. */
  readonly greedyFinalLogits: Float32Array;
  /** [position][vocabulary]; only of len7. */
  readonly logits: Float32Array | undefined;
  /** [position][width of the residual, or of all its streams] behind every layer; only of len7. */
  readonly layers: readonly Float32Array[];
}

export interface Oracle {
  readonly modelPath: string;
  readonly prompts: Readonly<Record<PromptName, OraclePrompt>>;
  /** Largest difference between the reference in float32 and in float64. */
  readonly tolerance: number;
  /** By how much a whole f16 or bf16 run of the reference differs, for each prompt. */
  readonly half: Readonly<Record<'f16' | 'bf16', Readonly<Record<PromptName, number>>>>;
}

interface Golden {
  readonly prompts: Readonly<Record<PromptName, { readonly ids: number[]; readonly greedy: number[] }>>;
  readonly tolerance_f32_vs_f64: number;
  readonly half_precision_run_vs_f32: Oracle['half'];
}

type Tensor = Float32Array | Float64Array | Int32Array | BigInt64Array;

/** The oracle `gguf_llama_...` of the fixtures, with all prompts. */
export function readOracle(name: string): Oracle {
  return read(join(fixtures, name), 'model.gguf', promptNames);
}

/** An oracle with those prompts that its golden has: one that was cut down has fewer. */
export type FolderOracle = Oracle & { readonly names: readonly PromptName[] };

/** The oracle in a folder that is a checkpoint too. */
export function readFolderOracle(folder: string): FolderOracle {
  return readPresent(folder, '');
}

/** The oracle of the model.gguf in a folder. */
export function readGgufOracle(folder: string): FolderOracle {
  return readPresent(folder, 'model.gguf');
}

function readPresent(folder: string, file: string): FolderOracle {
  const tensors = readSafetensors(readFileSync(join(folder, 'golden.safetensors')));
  const names = promptNames.filter((prompt) => tensors.has(`${prompt}.last_logits`));
  return { ...read(folder, file, names), names };
}

/** The folder of an oracle of the fixtures. */
export function oracleFolder(name: string): string {
  return join(fixtures, name);
}

function read(folder: string, file: string, names: readonly PromptName[]): Oracle {
  const golden: Golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8'));
  const tensors = readSafetensors(readFileSync(join(folder, 'golden.safetensors')));
  const prompts = Object.fromEntries(names.map((prompt): [PromptName, OraclePrompt] => [prompt, readPrompt(prompt, golden, tensors)])) as Record<
    PromptName,
    OraclePrompt
  >;
  return { modelPath: join(folder, file), prompts, tolerance: golden.tolerance_f32_vs_f64, half: golden.half_precision_run_vs_f32 };
}

function readPrompt(prompt: PromptName, golden: Golden, tensors: ReadonlyMap<string, Tensor>): OraclePrompt {
  const get = (key: string): Tensor => {
    const tensor = tensors.get(key);
    if (tensor === undefined) throw new Error(`the golden has no ${key}`);
    return tensor;
  };
  const fives = (key: string): number[][] => {
    const flat = Array.from(get(key) as Float32Array, Number);
    return Array.from({ length: flat.length / 5 }, (_, i) => flat.slice(i * 5, i * 5 + 5));
  };
  return {
    ids: Uint32Array.from(golden.prompts[prompt].ids),
    greedy: golden.prompts[prompt].greedy,
    lastLogits: get(`${prompt}.last_logits`) as Float32Array,
    lastLogits64: get(`${prompt}.last_logits_f64`) as Float64Array,
    topIds: fives(`${prompt}.top5_ids`),
    topLogits: fives(`${prompt}.top5_logits`),
    greedyTopIds: fives(`${prompt}.greedy_top5_ids`),
    greedyTopLogits: fives(`${prompt}.greedy_top5_logits`),
    greedyFinalLogits: get(`${prompt}.greedy_final_logits`) as Float32Array,
    logits: tensors.get(`${prompt}.logits`) as Float32Array | undefined,
    layers: readLayers(prompt, tensors),
  };
}

function readLayers(prompt: PromptName, tensors: ReadonlyMap<string, Tensor>): Float32Array[] {
  const layers: Float32Array[] = [];
  for (let found = tensors.get(`${prompt}.layer0_out`); found !== undefined; found = tensors.get(`${prompt}.layer${layers.length}_out`))
    layers.push(found as Float32Array);
  return layers;
}

const readers = {
  F32: (bytes: ArrayBuffer) => new Float32Array(bytes),
  F64: (bytes: ArrayBuffer) => new Float64Array(bytes),
  I32: (bytes: ArrayBuffer) => new Int32Array(bytes),
  I64: (bytes: ArrayBuffer) => new BigInt64Array(bytes),
};

function readSafetensors(file: Buffer): Map<string, Tensor> {
  const headerLength = Number(file.readBigUInt64LE(0));
  const header: Record<string, { readonly dtype: keyof typeof readers; readonly data_offsets: readonly [number, number] }> = JSON.parse(
    file.toString('utf8', 8, 8 + headerLength),
  );
  const data = file.subarray(8 + headerLength);
  const tensors = new Map<string, Tensor>();
  for (const [name, { dtype, data_offsets }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    tensors.set(name, readers[dtype](Uint8Array.from(data.subarray(...data_offsets)).buffer));
  }
  return tensors;
}
