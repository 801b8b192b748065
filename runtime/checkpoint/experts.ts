/**
 * Owns the finding of experts in a checkpoint: a tensor an expert, one with all experts of a part, or one with all there is, each in any
 * storage. What is there decides. Refuses experts that one packed matrix cannot hold, by the name of the tensor.
 */
import { quadRows, type StorageWithKernels } from '../../kernels/weights.ts';
import type { ExpertBiasSpec, ExpertsSpec, ExpertTensors } from '../../models/index.ts';
import { describeShape, tensorPart, unsupported } from './json.ts';
import type { Placement } from './packer.ts';
import { findFloats, findMatrix, findTransposed, hasTensor, readFloats } from './stored.ts';
import type { StoredMatrix } from './strips.ts';
import type { Checkpoint, TensorHeader } from './types.ts';

export interface StoredExperts {
  /** The first tensor, as errors call it. */
  readonly name: string;
  readonly storage: StorageWithKernels;
  /** Of one expert on the device, all parts. */
  readonly rows: number;
  /** Stored matrices, and where their rows go among those of all experts. Throws as findExperts does. */
  readonly sources: () => Iterable<ExpertSource>;
  /** Those of one expert, as if it had the place of another. */
  readonly sourcesOf: (expert: number, place: number) => ExpertSource[];
}

interface ExpertSource {
  readonly stored: StoredMatrix;
  readonly placements: readonly Placement[];
}

/** Rows of one expert on the device, all parts. */
export function expertRows({ rows, padding = 0, parts }: ExpertTensors): number {
  return (rows + padding) * parts.length;
}

/** Throws model_unsupported where a tensor is missing, has another shape, no kernel for its storage, or another storage than those before it. */
export function findExperts(checkpoint: Checkpoint, spec: ExpertsSpec): StoredExperts {
  const form = findForm(checkpoint, spec);
  // What one tensor has of an expert is as what it has of the others.
  const checked = Array.from(findSources(checkpoint, spec, form, form === 'each' ? spec.experts : 1), ({ stored }) => stored);
  const { name = '', storage = 'F32' } = checked[0] ?? {};
  let finders: Finder[] | undefined;
  return {
    name,
    storage,
    rows: expertRows(spec),
    sources: () => findSources(checkpoint, spec, form, spec.experts),
    sourcesOf(expert, place) {
      finders ??= listFinders(checkpoint, spec, form);
      return finders.map(([find, placementsOf]) => ({ stored: find(expert), placements: placementsOf(place) }));
    },
  };
}

/** Of so many experts. */
function* findSources(checkpoint: Checkpoint, spec: ExpertsSpec, form: ExpertForm, experts: number): Generator<ExpertSource> {
  let first: StorageWithKernels | undefined;
  for (const [find, placementsOf] of listFinders(checkpoint, spec, form)) {
    for (let expert = 0; expert < experts; expert++) {
      const stored = find(expert);
      first ??= stored.storage;
      if (stored.storage !== first) throw unsupported(stored.name, `storage ${first}, as the experts before it`, stored.storage);
      if (stored.order !== undefined) throw unsupported(stored.name, `columns of experts in their own order, storage ${first}`, 'another order');
      yield { stored, placements: placementsOf(expert) };
    }
  }
}

type Finder = readonly [find: (expert: number) => StoredMatrix, placementsOf: (expert: number) => readonly Placement[]];

/** For each tensor, or for each part that has a tensor an expert: the matrix of an expert, and where its rows go. */
function listFinders(checkpoint: Checkpoint, spec: ExpertsSpec, form: ExpertForm): Finder[] {
  const { rows, columns, storedColumns, parts, joined } = spec;
  if (form === 'joined' && joined !== undefined) {
    const order = orderOf(checkpoint, joined);
    return [[findAll(checkpoint, joined.tensor, spec, rows * parts.length), (expert) => parts.map((_, part) => placementOf(spec, expert, part, order))]];
  }
  return parts.map((name, part): Finder => {
    const each = (expert: number): StoredMatrix =>
      findMatrix(checkpoint, { tensor: `${name.replace('*', String(expert))}.weight`, rows }, columns, storedColumns);
    return [form === 'parts' ? findAll(checkpoint, nameOfAll(name), spec, rows) : each, (expert) => [placementOf(spec, expert, part)]];
  });
}

type ExpertForm = 'each' | 'parts' | 'joined';
type JoinedOrder = NonNullable<ExpertTensors['joined']>['rows'];

function orderOf({ format }: Checkpoint, { rows }: NonNullable<ExpertTensors['joined']>): JoinedOrder {
  return format === 'gguf' ? 'below' : rows;
}

/** Of an expert's rows of one part; `joined`: how they stand beside those of the others in what is stored. */
function placementOf(spec: ExpertTensors, expert: number, part: number, joined?: JoinedOrder): Placement {
  const { rows, parts } = spec;
  const from = joined === 'inTurns' ? { firstRow: part, rowStep: parts.length } : { firstRow: joined === 'below' ? part * rows : 0, rowStep: 1 };
  return { ...from, rows, firstQuad: (expert * expertRows(spec)) / quadRows + part, quadStep: parts.length };
}

/** Of the tensor that holds a part of all experts. */
export function nameOfAll(name: string): string {
  return name.replace('.*', '');
}

/** What a matrix can be without a storage's other tensors. */
const suffixes = ['.weight', '.qweight', '.weight_packed', '_blocks', ''];

function stemOf({ names }: Checkpoint, name: string): string {
  return names.nameOf(`${name}.weight`).replace(/\.weight$/, '');
}

function hasMatrix(checkpoint: Checkpoint, name: string): boolean {
  const stem = stemOf(checkpoint, name);
  return suffixes.some((suffix) => checkpoint.tensors.has(stem + suffix));
}

/** Where there is none of them, what a file of this format would have. */
function findForm(checkpoint: Checkpoint, { parts: [first = ''], joined }: ExpertTensors): ExpertForm {
  if (hasMatrix(checkpoint, first.replace('*', '0'))) return 'each';
  if (hasMatrix(checkpoint, nameOfAll(first))) return 'parts';
  if (joined !== undefined && hasMatrix(checkpoint, joined.tensor)) return 'joined';
  return checkpoint.format === 'gguf' ? 'parts' : 'each';
}

/** Storages of numbers by themselves. */
const plain: readonly string[] = ['F32', 'F16', 'BF16'];

/** Matrices of all experts that one tensor has, or one set of tensors; each is found as if it had tensors of its own. */
function findAll(
  checkpoint: Checkpoint,
  name: string,
  { experts, columns, storedColumns, isTransposed }: ExpertsSpec,
  rows: number,
): (expert: number) => StoredMatrix {
  const stem = stemOf(checkpoint, name);
  const own = Array.from(checkpoint.tensors.values()).filter((header) => header.name.startsWith(stem) && /^(?:[._]|$)/.test(header.name.slice(stem.length)));
  const odd = own.find(({ shape }) => shape[0] !== experts);
  if (odd !== undefined) throw unsupported(tensorPart(checkpoint, odd), `${experts} experts as the first dimension`, describeShape(odd.shape));
  const names = { ...checkpoint.names, nameOf: (tensor: string) => tensor };
  const isPlain = own.some((header) => matrixSuffix(header.name.slice(stem.length)) === '.weight' && plain.includes(header.storage));
  return (expert) => {
    const tensors = new Map(own.map((header) => [stem + matrixSuffix(header.name.slice(stem.length)), sliceOf(header, experts, expert)]));
    const sliced = { ...checkpoint, names, tensors };
    if (isTransposed && isPlain && checkpoint.format === 'folder') return findTransposed(sliced, `${stem}.weight`, rows, columns, storedColumns);
    return findMatrix(sliced, { tensor: `${stem}.weight`, rows }, columns, storedColumns);
  };
}

/** As the tensors of a linear layer are called: those of experts can lack `.weight`. */
function matrixSuffix(suffix: string): string {
  return suffix === '' || /^_scale(?:_inv)?$/.test(suffix) ? `.weight${suffix}` : suffix;
}

function sliceOf({ name, storage, shape, offset, size }: TensorHeader, experts: number, expert: number): TensorHeader {
  return { name: `${name}[${expert}]`, storage, shape: shape.slice(1), offset: offset + (expert * size) / experts, size: size / experts };
}

interface StoredBias {
  readonly names: readonly string[];
  readonly shape: readonly [experts: number, rows: number];
  /** Where one tensor has all parts. */
  readonly order: JoinedOrder | undefined;
}

/** Throws model_unsupported where a tensor is missing, has another shape, or numbers that are not stored by themselves. */
export function findExpertBias(checkpoint: Checkpoint, { experts, rows, parts, joined }: ExpertBiasSpec): StoredBias {
  const order = joined && hasTensor(checkpoint, joined.tensor) ? orderOf(checkpoint, joined) : undefined;
  const names = order === undefined ? parts : [joined?.tensor ?? ''];
  const shape = [experts, (rows * parts.length) / names.length] as const;
  for (const name of names) findFloats(checkpoint, name, shape);
  return { names, shape, order };
}

/** Numbers in the order of the packed rows. Throws as findExpertBias does. */
export function readExpertBias(checkpoint: Checkpoint, spec: ExpertBiasSpec): Float32Array<ArrayBuffer> {
  const { experts, rows, parts } = spec;
  const { names, shape, order } = findExpertBias(checkpoint, spec);
  const [, stored] = shape;
  const all = names.map((name) => readFloats(checkpoint, name, shape));
  const values = new Float32Array(experts * expertRows(spec));
  for (let expert = 0; expert < experts; expert++) {
    for (const part of parts.keys()) {
      const { firstRow, rowStep, firstQuad, quadStep } = placementOf(spec, expert, part, order);
      const from = (all[part] ?? all[0])?.subarray(expert * stored) ?? [];
      for (let row = 0; row < rows; row++) {
        const quad = firstQuad + Math.floor(row / quadRows) * quadStep;
        values[quad * quadRows + (row % quadRows)] = from[firstRow + row * rowStep] ?? 0;
      }
    }
  }
  return values;
}
