/** Owns the static table of model families. */
import { bert } from './bert.ts';
import { deepseekV3 } from './deepseek_v3.ts';
import { deepseekV4 } from './deepseek_v4.ts';
import type { Family } from './family.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3 } from './gemma3.ts';
import { gemma4 } from './gemma4.ts';
import { glmMoeDsa } from './glm_moe_dsa.ts';
import { glm4Moe } from './glm4_moe.ts';
import { gptOss } from './gpt_oss.ts';
import { llama } from './llama.ts';
import { ministral3 } from './ministral3.ts';
import { mistral } from './mistral.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { qwen3_5 } from './qwen3_5.ts';
import { qwen3_5Moe } from './qwen3_5_moe.ts';
import { qwen3Moe } from './qwen3_moe.ts';
import { qwen3Next } from './qwen3_next.ts';
import { smollm3 } from './smollm3.ts';

export const families: readonly Family[] = [
  bert,
  deepseekV3,
  deepseekV4,
  gemma2,
  gemma3,
  gemma4,
  glm4Moe,
  glmMoeDsa,
  gptOss,
  llama,
  ministral3,
  mistral,
  phi3,
  qwen2,
  qwen3,
  qwen3_5,
  qwen3_5Moe,
  qwen3Moe,
  qwen3Next,
  smollm3,
];
