/** The side of onnxruntime in a process of its own, started by bench/kernels/side.ts with the driver's environment. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encodeModel } from '../kernels/onnx.ts';
import { serve } from '../kernels/serve.ts';

let options;
let accuracyLevel;
let session;

serve({
  // A provider that is not there shows only when a session is made.
  open: async ({ provider, threadCount, ...rest }) => {
    ({ accuracyLevel } = rest);
    options = { executionProviders: [provider], intraOpNumThreads: threadCount, graphOptimizationLevel: 'all', logSeverityLevel: 4 };
  },
  load: async (chain) => {
    await session?.release();
    session = await InferenceSession.create(encodeModel(chain, accuracyLevel), options).catch((error) => {
      // In front of the reason stand a place in its sources and a condition.
      throw new Error(String(error?.message).replace(/^.* was false\. /, ''));
    });
  },
  // Outputs come to the host unless another place is asked for, so the work is done when the run ends.
  run: async (x, tokens) => {
    const { y } = await session.run({ x: new Tensor('float32', x, [tokens, x.length / tokens]) });
    return y.data.slice(0, y.data.length / tokens);
  },
});
