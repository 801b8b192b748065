/**
 * DeepSeek-V4's block for multi-token prediction in the engine, held at every position of prompts and answers against the same written a second time in
 * double precision (test/deepseek-v4-prediction.ts). What goes into it are the streams of the main model: of the released layout's short prompt those that
 * transformers computed, else those of an engine without the block. Bound: 20 x the distance of transformers' own float32 and float64, as for the main model.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openParts, type Parts } from '../../runtime/open.ts';
import { Sequence } from '../../runtime/scheduling/sequence.ts';
import type { DeviceName, EngineOptions } from '../../runtime/types.ts';
import { type PlainTensors, Prediction, type PredictionConfig, readReleased } from '../deepseek-v4-prediction.ts';
import { seededWithPrediction } from '../deepseek-v4-seeded.ts';
import { distance } from '../engine-run.ts';
import { lacksSwiftshader, testDevice } from '../gpu.ts';
import { readFolderOracle } from '../oracle.ts';
import { sampleCases } from '../sample.ts';
import { seededTensors, writeSeeded } from '../seeded.ts';
import { findTestData } from '../test-data.ts';

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;
const answerLength = 4;
/** Prompts are computed in several steps, which end where no window does. */
const tokenBudget = 13;

/** Rows of f32 that a step has left in a buffer or texture of this label. */
async function readRows({ memory, open: { device } }: Parts, owner: 'activations' | 'logits', label: string, rows: number, width: number): Promise<number[][]> {
  const made = memory.madeFor(owner).find((one) => one.label === label);
  if (made === undefined) throw new Error(`nothing is called ${label}`);
  const pitch = 'size' in made ? width * 4 : Math.ceil((width * 4) / 256) * 256;
  const staging = device.createBuffer({ size: rows * pitch, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  if ('size' in made) encoder.copyBufferToBuffer(made, 0, staging, 0, rows * pitch);
  else encoder.copyTextureToBuffer({ texture: made }, { buffer: staging, bytesPerRow: pitch }, { width: width / 4, height: rows });
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return Array.from({ length: rows }, (_, row) => [...values.subarray((row * pitch) / 4, (row * pitch) / 4 + width)]);
}

interface Model {
  readonly modelPath: string;
  readonly config: PredictionConfig & { readonly vocab_size: number };
  readonly tensors: PlainTensors;
  readonly tolerance: number;
}

interface Walk {
  /** Prompt and answer. */
  readonly ids: number[];
  /** Of each position that was computed. */
  readonly streams: number[][][];
  readonly ahead: number[][];
}

/** Runs a prompt and an answer step by step, and looks at what each step has left. */
async function walk({ modelPath, config }: Model, promptIds: ArrayLike<number>, device: DeviceName | 'auto', draft: EngineOptions['draft']): Promise<Walk> {
  const options = {
    modelPath,
    device,
    draft: draft ?? 'text',
    draftLength: 0,
    maxSequences: 1,
    tokenBudget,
    contextLength: 64,
    kv: 'f32',
    tune: 'off',
  } as const;
  const { parts } = await openParts(options);
  using _ = parts.open;
  const { scheduler, batch, runner } = parts;
  const walked: Walk = { ids: [...Uint32Array.from(promptIds)], streams: [], ahead: [] };
  const silent = {
    event: (event: { readonly type: string; readonly id?: number }) => void (event.id !== undefined && walked.ids.push(event.id)),
    fail: (error: Error) => {
      throw error;
    },
  };
  scheduler.add(new Sequence({ promptIds: Uint32Array.from(promptIds), maxTokens: answerLength, logits: 'all' }, options.contextLength, silent));
  for (let steps = 0; scheduler.hasWork; steps++) {
    expect(steps).toBeLessThan(20);
    scheduler.schedule(batch);
    const results = await runner.run(batch);
    const { tokens, logitRows } = batch.counts;
    const positions = batch.words.subarray(batch.layout['BATCH_POSITIONS'] ?? Number.NaN);
    const streams = tokens === 0 || draft === 'mtp' ? [] : await readRows(parts, 'activations', 'streams', tokens, 4 * config.hidden_size);
    for (const [token, row] of streams.entries())
      walked.streams[positions[token] ?? 0] = [0, 1, 2, 3].map((k) => row.slice(k * config.hidden_size, (k + 1) * config.hidden_size));
    const ahead = logitRows === 0 || draft !== 'mtp' ? [] : await readRows(parts, 'logits', 'logits ahead', logitRows, config.vocab_size);
    for (const [row, logits] of ahead.entries()) {
      walked.ahead[batch.rowPositions[row] ?? 0] = logits;
      // Greedy: what is expected is what its logits say.
      expect(results.foreseen(row)).toBe(logits.indexOf(Math.max(...logits)));
    }
    scheduler.commit(batch, results);
  }
  return walked;
}

/** `known`: streams of the main model by somebody else. */
async function expectPrediction(model: Model, promptIds: ArrayLike<number>, device: DeviceName | 'auto', known?: number[][][]): Promise<void> {
  const { ids, ahead } = await walk(model, promptIds, device, 'mtp');
  const main = known === undefined ? await walk(model, promptIds, device, 'text') : { ids, streams: known };
  expect(main.ids).toEqual(ids);
  // Of the last token of the answer nothing was computed.
  expect(ahead.length).toBe(ids.length - 1);
  const expected = new Prediction(model.config, model.tensors).logits(main.streams, ids.slice(1));
  for (const [position, logits] of expected.entries()) expect(distance(ahead[position], logits), `position ${position}`).toBeLessThan(20 * model.tolerance);
}

function readSeededModel(): Model {
  const modelPath = mkdtempSync(join(tmpdir(), 'inward-prediction-'));
  onTestFinished(() => rmSync(modelPath, { recursive: true, force: true }));
  const seeded = seededWithPrediction();
  writeSeeded(seeded, modelPath);
  return { modelPath, config: seeded.config as unknown as Model['config'], tensors: seededTensors(seeded), tolerance: seeded.tolerance };
}

const prompt = Uint32Array.from({ length: 30 }, (_, i) => 3 + ((i * 37 + 11 + ((i * i) % 29)) % 120));

const data = findTestData('the prediction of a release');

function readReleasedModel(): Model {
  const modelPath = join(data ?? '', 'oracles/deepseek_v4');
  return {
    modelPath,
    config: JSON.parse(readFileSync(join(modelPath, 'config.json'), 'utf8')),
    tensors: readReleased(readFileSync(join(modelPath, 'model.safetensors'))),
    tolerance: readFolderOracle(modelPath).tolerance,
  };
}

/** Streams of the short prompt behind the last layer, as transformers computed them. */
function readStreams({ modelPath, config: { hidden_size: width } }: Model, length: number): number[][][] {
  const values = readReleased(readFileSync(join(modelPath, 'golden.safetensors'))).get('len7.layer4_out')?.values ?? [];
  return Array.from({ length }, (_, token) =>
    [0, 1, 2, 3].map((k) => Array.from({ length: width }, (__, i) => values[(token * 4 + k) * width + i] ?? Number.NaN)),
  );
}

type Kind = readonly [what: string, device: DeviceName | 'auto', expectExact: (device: DeviceName | 'auto') => Promise<void>];
const expectSeeded = (device: DeviceName | 'auto'): Promise<void> => expectPrediction(readSeededModel(), prompt, device);
const released: readonly Kind[] = [
  [
    'the layout of a release, streams by transformers',
    testDevice(),
    async (device) => {
      const model = readReleasedModel();
      const { ids } = readFolderOracle(model.modelPath).prompts.len7;
      await expectPrediction(model, ids, device, readStreams(model, ids.length));
    },
  ],
  [
    'the layout of a release, over the borders of windows and steps',
    testDevice(),
    async (device) => {
      const model = readReleasedModel();
      await expectPrediction(model, readFolderOracle(model.modelPath).prompts.len33.ids, device);
    },
  ],
];
const kinds: readonly Kind[] = [
  ['seeded weights, over the borders of windows and steps', testDevice(), expectSeeded],
  // Only in full: SwiftShader compiles for minutes.
  ...(process.env['INWARD_FULL'] === '1' ? [['seeded weights on SwiftShader, whatever the others run on', 'swiftshader', expectSeeded] as const] : []),
  ...(data === undefined ? [] : released),
];

test.for(sampleCases('predictions', kinds, 1))('%s', { timeout: patience }, async ([, device, expectExact], { skip }) => {
  skip(device === 'swiftshader' && lacksSwiftshader(), 'SwiftShader is not on this machine');
  await expectExact(device);
});
