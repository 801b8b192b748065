/**
 * The text process, and on Node's channel one message more: `{ probe }` asks whether the heap holds that word, given backwards so that
 * asking does not put it there; `{ control }` is a word that must be found.
 */
import { getHeapSnapshot } from 'node:v8';
import '../../../runtime/text/process.ts';

process.on('message', async (message: { readonly probe?: string; readonly control?: string }) => {
  if (message.probe === undefined || message.control === undefined) return;
  const chunks: Buffer[] = [];
  for await (const chunk of getHeapSnapshot()) chunks.push(Buffer.from(chunk));
  const heap = Buffer.concat(chunks);
  process.send?.({ kind: 'heap', probe: heap.includes(Buffer.from(message.probe).reverse()), control: heap.includes(Buffer.from(message.control).reverse()) });
});
