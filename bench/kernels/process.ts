/** Our side in a process of its own, started by bench/kernels/side.ts with the driver's environment, as the engine's process is. */
import { openDevice } from '../../runtime/device.ts';
import type { ActivationFormat, DeviceName } from '../../runtime/types.ts';
import { encodeBlocks } from './encode.ts';
import { OurChain } from './ours.ts';
import { serve } from './serve.ts';
import { storeBlocks } from './stored.ts';

let own: OurChain | undefined;

function opened(): OurChain {
  if (own === undefined) throw new Error('asked before it was opened');
  return own;
}

serve({
  open: async ({ device, activations = 'f32' }) => {
    own = new OurChain(await openDevice(device as DeviceName), activations as ActivationFormat);
  },
  load: ({ matrices }, mostTokens) =>
    opened().load(
      matrices.map((matrix) => {
        const { rows, columns, storage = 'Q4_0' } = matrix;
        return { rows, columns, stored: storeBlocks(storage, rows, columns, encodeBlocks(matrix, storage)) };
      }),
      mostTokens,
    ),
  run: (x, tokens) => opened().run(x, tokens),
});
