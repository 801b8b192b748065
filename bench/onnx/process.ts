/**
 * Owns the folder of a model as transformers.js opens it, made from a GGUF file in a process of its own, because the bench itself, whose
 * memory counts as a server's, may not hold a model. Refuses to outlive its parent.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint } from '../../runtime/checkpoint/index.ts';
import { answerMessages } from '../answer.ts';
import { encodeLlama, readShape } from './llama.ts';

interface Question {
  readonly type: 'write';
  readonly modelPath: string;
  readonly folder: string;
}

function write(modelPath: string, folder: string): void {
  using checkpoint = openCheckpoint(modelPath);
  const shape = readShape(checkpoint);
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  writeFileSync(join(folder, 'onnx', 'model_q4.onnx'), encodeLlama(checkpoint, shape));
  // No token ends a sequence: every engine of the bench generates as many as it is told.
  const config = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    hidden_size: shape.embeddingLength,
    num_hidden_layers: shape.layerCount,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headLength,
    vocab_size: shape.vocabularySize,
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
}

answerMessages(({ modelPath, folder }: Question) => {
  write(modelPath, folder);
  return { type: 'written' };
});
