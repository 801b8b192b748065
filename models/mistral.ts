/**
 * Mistral (Jiang et al. 2023), Nemo and Small: the Llama decoder whose layers may look back over a window. GGUF files of it say `llama`.
 * Source: MistralForCausalLM of Hugging Face transformers.
 */
import type { Family } from './family.ts';
import { llama } from './llama.ts';

const { gguf: _, ...shared } = llama;

export const mistral: Family = { ...shared, name: 'mistral', modelTypes: ['mistral'] } as Family;
