/**
 * Every family that a bare clone proves: tiny models whose weights follow from the names of their tensors, against Hugging Face transformers,
 * from a folder and from a GGUF file as llama.cpp's converter makes it (test/gguf).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { families } from '../../models/index.ts';
import type { DeviceName } from '../../runtime/types.ts';
import { convertSeeded } from '../gguf/convert.ts';
import { modelBytes, partBytes } from '../gguf/model.ts';
import { createParts } from '../gguf-file.ts';
import { lacksSwiftshader } from '../gpu.ts';
import { sampleCases } from '../sample.ts';
import { listSeeded, readSeeded, writeSeeded } from '../seeded.ts';
import { expectGolden } from '../seeded-golden.ts';

const names = listSeeded();
/** Encoders are in bert.test.ts. */
const decoders = names.filter((name) => Object.keys(readSeeded(name).prompts).length > 0);

/** One of each of most families, drawn; in full all. */
const drawn = sampleCases('families', families, 9).flatMap(({ name, modelTypes }) => {
  const own = decoders.filter((decoder) => modelTypes.includes(String(readSeeded(decoder).config['model_type'])));
  return sampleCases(`seeded models of ${name}`, own, 1);
});
/** DeepSeek-V3.2 is an architecture of its own there, which is not read. */
const withGguf = decoders.filter((name) => !['deepseek_v32', 'deepseek_v4'].includes(name));

/** A device in software on a busy machine takes minutes to compile, in ms. */
const patience = 400_000;

/** A folder that is gone after the test. */
function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'inward-family-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test.each(drawn)('%s: tokens and logits of each prompt, side by side', { timeout: patience }, async (name) => {
  const folder = createFolder();
  const seeded = readSeeded(name);
  writeSeeded(seeded, folder);
  await expectGolden(folder, seeded);
});

async function expectGguf(name: string, device?: DeviceName): Promise<void> {
  const seeded = readSeeded(name);
  const file = join(createFolder(), 'model.gguf');
  writeFileSync(file, modelBytes(convertSeeded(seeded)));
  await expectGolden(file, seeded, device);
}

test.each(sampleCases('seeded models as GGUF', withGguf, 2))('%s as a GGUF file', { timeout: patience }, async (name) => await expectGguf(name));

test.for(sampleCases('seeded models on SwiftShader', withGguf, 1))('%s as a GGUF file on SwiftShader', { timeout: patience }, async (name, { skip }) => {
  skip(lacksSwiftshader(), 'SwiftShader is not on this machine');
  await expectGguf(name, 'swiftshader');
});

// Weights are whole numbers times powers of two, which blocks of Q8_0 have exactly, so that the golden holds; the experts of all are one tensor, in three parts.
test('qwen3_moe as GGUF files in three parts, matrices in Q8_0', { timeout: patience }, async () => {
  const parts = createParts();
  onTestFinished(parts.remove);
  const seeded = readSeeded('qwen3_moe');
  await expectGolden(parts.write(partBytes(convertSeeded(seeded), 3, 'Q8_0')), seeded);
});

test('no family is without one', () => {
  const proven = new Set(names.map((name) => String(readSeeded(name).config['model_type'])));
  // Llama has fixtures of its own.
  const missing = families.filter(({ modelTypes }) => !modelTypes.some((type) => type === 'llama' || proven.has(type))).map(({ name }) => name);
  expect(missing).toEqual([]);
});
