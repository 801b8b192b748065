/** Answers of a tiny model under a schema with long fixed keys: fewer steps where forced text is taken at once, and valid either way, by ajv. */
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEngine } from '../../../runtime/engine.ts';
import { openText, type TextModel } from '../../../runtime/text/index.ts';
import type { Engine, GenerateRequest } from '../../../runtime/types.ts';
import { run } from '../../engine-run.ts';
import { testDevice } from '../../gpu.ts';
import { readOracle } from '../../oracle.ts';

const { modelPath, prompts } = readOracle('gguf_llama_f32');
const schema = {
  type: 'object',
  properties: {
    patient_medical_record_number: { type: 'integer', minimum: 0, maximum: 99 },
    date_of_last_screening: { enum: ['not documented', 'never performed'] },
  },
  required: ['patient_medical_record_number', 'date_of_last_screening'],
  additionalProperties: false,
};
const validate = new Ajv().compile(schema);

let text: TextModel;
let engine: Engine;
beforeAll(async () => {
  text = await openText({ modelPath });
  engine = await createEngine({ modelPath, device: testDevice(), vocabulary: text.vocabulary, contextLength: 512, kvTokens: 4096 });
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await text[Symbol.asyncDispose]();
});

async function answer(seed: number, more: Partial<GenerateRequest> = {}) {
  const before = engine.stats();
  const request: Omit<GenerateRequest, 'promptIds'> = {
    grammar: { kind: 'schema', source: new TextEncoder().encode(JSON.stringify(schema)) },
    ...{ maxTokens: 400, stopIds: text.info.stopIds, sampling: { temperature: 1, seed }, ...more },
  };
  const { tokens, reason } = await run(engine, prompts.len7.ids, request);
  const after = engine.stats();
  const decoder = text.createDecoder();
  const written = tokens.map((id) => decoder.push(id as never)).join('') + decoder.end();
  return { tokens, reason, written, steps: after.steps - before.steps, forced: after.forcedTokens - before.forcedTokens };
}

test('keys that are fixed take few steps, the same each time, and the answer is valid', async () => {
  for (const seed of [1, 2, 3]) {
    const [held, again, watched] = [await answer(seed), await answer(seed), await answer(seed, { logprobs: 0 })];
    expect([held.tokens, held.reason, held.forced]).toEqual([again.tokens, again.reason, again.forced]);
    for (const { written, reason } of [held, watched]) {
      const value: unknown = JSON.parse(written);
      expect([reason, value, validate(value)]).toEqual(['stop', value, true]);
    }
    expect(watched.forced).toBe(0);
    // A step more, of this answer or of the one before, clears what a sequence has left behind.
    expect(watched.steps).toBeGreaterThanOrEqual(watched.tokens.length);
    expect(held.steps).toBeLessThanOrEqual(held.tokens.length - held.forced + 2);
    expect(held.forced).toBeGreaterThan(held.tokens.length / 2);
  }
});

test('an answer that is cut within forced text is the beginning of the whole one', async () => {
  const whole = await answer(5);
  for (const maxTokens of [2, 7, 12]) {
    const cut = await answer(5, { maxTokens });
    expect([cut.tokens, cut.reason]).toEqual([whole.tokens.slice(0, maxTokens), 'length']);
  }
});
