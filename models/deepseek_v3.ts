/**
 * DeepSeek-V3 (DeepSeek-AI 2024), R1, and Kimi K2: multi-head latent attention, and behind the first layers experts chosen by sigmoids within groups,
 * with one that every token has (latent.ts).
 * Source: DeepseekV3ForCausalLM of Hugging Face transformers. The layers behind the last, for multi-token prediction, are left out.
 */
import type { Family } from './family.ts';
import { forwardLatent, type LatentConfig, latentGguf, latentWeights, readLatentConfig } from './latent.ts';

export const deepseekV3: Family<LatentConfig> = {
  name: 'deepseek_v3',
  modelTypes: ['deepseek_v3', 'kimi_k2'],
  gguf: { architecture: 'deepseek2', ...latentGguf },
  readConfig: readLatentConfig,
  weights: (c) => latentWeights(c),
  canCut: () => true,
  forward: (c, w, g) => forwardLatent(c, w, g),
};
