/** Which layers each stage has, from headers alone: all of them once, and a refusal by name where a family's layers want more of each other than rows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { LayerRange, ModelShape } from '../../../models/index.ts';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { weightSize } from '../../../runtime/checkpoint/loader.ts';
import { outlineModel, outlineSpecs } from '../../../runtime/outline.ts';
import { readModel } from '../../../runtime/plan.ts';
import { planStages } from '../../../runtime/stages/plan.ts';
import type { DraftKind } from '../../../runtime/types.ts';
import { seededWithPrediction } from '../../deepseek-v4-seeded.ts';
import { readSeeded, writeSeeded } from '../../seeded.ts';

function open(name: string, draft?: DraftKind) {
  const folder = mkdtempSync(join(tmpdir(), 'inward-plan-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeSeeded(draft === 'mtp' ? seededWithPrediction() : readSeeded(name), folder);
  const checkpoint = openCheckpoint(folder);
  onTestFinished(() => checkpoint[Symbol.dispose]());
  const { family, config } = readModel(checkpoint, draft);
  const model = outlineModel(checkpoint, family, config);
  const specs = family.weights(config);
  return { checkpoint, model, specs, plan: (count: number): LayerRange[] => planStages(checkpoint, model, count, {}) };
}

/** Names of the weights of each stage. */
function namesOf({ model, specs, plan }: ReturnType<typeof open>, count: number): string[][] {
  return plan(count).map((range) => [...outlineSpecs({ ...model, range }, specs).keys()]);
}

test('one stage has all weights; of several each layer`s are in one, the embedding in the first and the output in the last', () => {
  const opened = open('qwen3');
  expect(namesOf(opened, 1)).toEqual([[...opened.specs.keys()]]);
  const [first = [], middle = [], last = []] = namesOf(opened, 3);
  const layered = [first, middle, last].map((names) => names.filter((name) => /^\d/.test(name)));
  expect(layered.flat()).toEqual([...opened.specs.keys()].filter((name) => /^\d/.test(name)));
  expect(layered.map((names) => new Set(names.map((name) => name.split(' ')[0])).size)).toEqual([1, 1, 1]);
  const outer = [first, middle, last].map((names) => names.filter((name) => !/^\d/.test(name)));
  // `output` is the embedding where both are one.
  expect(outer).toEqual([['embedding'], [], [expect.stringMatching(/^(?:output|embedding)$/), 'output norm']]);
});

test('the largest stage is as small as layers allow, caches included', () => {
  const { checkpoint, model, specs, plan } = open('gemma3_text');
  const sizes = plan(2).map((range) => weightSize(checkpoint, outlineSpecs({ ...model, range }, specs)));
  const all = weightSize(checkpoint, specs);
  expect(Math.max(...sizes)).toBeLessThan(0.7 * all);
});

test('no layer is cut off from the one whose keys it reads', () => {
  const { model } = open('gemma4_e2b');
  // Without what enters every layer, which forbids any cut.
  const { layers } = model.config as ModelShape & { readonly layers: readonly { readonly keysOf?: number }[] };
  const config = { ...model.config, layers, layerInput: undefined };
  const lent = layers.flatMap(({ keysOf }, layer) => (keysOf === undefined ? [] : [{ from: keysOf, to: layer }]));
  expect(lent.length).toBeGreaterThan(0);
  const cuts = layers.map((_, layer) => model.family.canCut?.(config, layer));
  expect(cuts).toEqual(layers.map((_, layer) => lent.every(({ from, to }) => layer <= from || layer > to)));
  expect(cuts.slice(1)).toContain(true);
});

test.each([
  ['bert', 2, 'The model is not supported: stages of the family bert with 3 layers: expected 1 stage, found 2.'],
  ['gemma4_e2b', 2, 'The model is not supported: stages of the family gemma4 with 6 layers: expected 1 stage, found 2.'],
  ['qwen3', 4, 'The model is not supported: stages of the family qwen3 with 3 layers: expected at most 3 stages, found 4.'],
])('%s in %i stages is refused by name', (name, count, sentence) => {
  const { plan } = open(name);
  expect(() => plan(count)).toThrow(sentence);
});

test('a block behind the layers that wants the embedding stays with it', () => {
  expect(open('deepseek_v4').plan(2)).toHaveLength(2);
  const { plan } = open('deepseek_v4', 'mtp');
  expect(() => plan(2)).toThrow(expect.objectContaining({ code: 'invalid_option', fields: { option: 'draft', rule: 'mtp with one stage' } }));
});
