/**
 * llama.cpp behind messages, in a process of its own, so that it shares nothing with what it is compared with.
 * Started by bench/peer.ts with the driver's environment. Gives the time of every token and nothing else.
 * Refuses to compile llama.cpp and to outlive its parent.
 */
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
import { answerMessages } from '../answer.ts';

let threads = 0;
let llama;
let model;

async function open({ gpu, modelPath, threadCount }) {
  threads = threadCount;
  llama = await getLlama({ gpu: gpu ? 'vulkan' : false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: threads });
  // It goes on without a GPU when it finds none; a comparison with the wrong device would look like a result.
  if (gpu && llama.gpu !== 'vulkan') throw new Error('it found no Vulkan device');
  model = await llama.loadModel({ modelPath, gpuLayers: gpu ? 'max' : 0 });
  return { type: 'opened', device: gpu ? (await llama.getGpuDeviceNames()).join(', ') : `CPU, ${threads} threads` };
}

/** Runs all prompts at once. A context of its own for each call: what one run left in the KV cache helps no other. */
async function run({ prompts, newTokens }) {
  const longest = Math.max(...prompts.map((ids) => ids.length));
  const context = await model.createContext({
    contextSize: longest + newTokens + 1,
    sequences: prompts.length,
    batchSize: Math.max(512, prompts.length * longest),
    threads,
    flashAttention: true,
  });
  try {
    const sequences = prompts.map(() => context.getSequence());
    const started = performance.now();
    const times = await Promise.all(prompts.map((ids, index) => readTimes(sequences[index], ids, newTokens, started)));
    return { type: 'ran', times };
  } finally {
    await context.dispose();
  }
}

async function readTimes(sequence, ids, newTokens, started) {
  const times = [];
  // Greedy; it would stop at an end token, and every run must do the same work.
  for await (const _ of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
    times.push(performance.now() - started);
    if (times.length >= newTokens) break;
  }
  return times;
}

answerMessages(
  (message) => (message.type === 'open' ? open(message) : run(message)),
  // In order, because the driver writes what it compiled to its cache until its instance is closed.
  () => llama?.dispose(),
);
