/**
 * transformers.js behind messages, in a process of its own, started by bench/peer.ts with the driver's environment. Gives the time of
 * every token and nothing else. Refuses to fetch anything and to outlive its parent.
 */
import { basename, dirname } from 'node:path';
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import { answerMessages } from '../answer.ts';

let model;

async function open({ folder, device, threadCount }) {
  env.allowRemoteModels = false;
  env.localModelPath = `${dirname(folder)}/`;
  const session = { intraOpNumThreads: threadCount, logSeverityLevel: 4 };
  model = await AutoModelForCausalLM.from_pretrained(basename(folder), { dtype: 'q4', device, session_options: session });
  return { type: 'opened', device };
}

async function run({ prompts, newTokens }) {
  const [ids] = prompts;
  if (prompts.length !== 1) throw new Error('it is measured with one sequence');
  const row = (read) => new Tensor('int64', BigInt64Array.from(ids, read), [1, ids.length]);
  const times = [];
  const started = performance.now();
  let isPrompt = true;
  const streamer = {
    // The first is the prompt.
    put: () => {
      if (!isPrompt) times.push(performance.now() - started);
      isPrompt = false;
    },
    end: () => undefined,
  };
  await model.generate({ input_ids: row(BigInt), attention_mask: row(() => 1n), max_new_tokens: newTokens, do_sample: false, streamer });
  return { type: 'ran', times: [times] };
}

answerMessages((message) => (message.type === 'open' ? open(message) : run(message)));
