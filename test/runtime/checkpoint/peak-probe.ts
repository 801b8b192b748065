/**
 * Opens hostile files in a process of its own, which the tests ask for the most memory it ever had: a peak that is over
 * when the refusal comes still shows. One file is opened before, so that what code and device need is there already.
 */
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { readVocabulary } from '../../../runtime/text/vocabulary.ts';
import type { DeviceName } from '../../../runtime/types.ts';

export interface PeakRequest {
  readonly first: string;
  readonly hostile: readonly string[];
  /** Opened by an engine on this device; left out, by the readers of headers and vocabularies. */
  readonly device?: DeviceName | 'auto';
}

export interface PeakAnswer {
  /** Growth of the peak of resident memory, in bytes. */
  readonly growth: number;
  /** For each file what it was refused with, '' if not, and the time in ms. */
  readonly files: readonly { readonly code: string; readonly took: number }[];
}

async function open(path: string, device: PeakRequest['device']): Promise<string> {
  try {
    if (device !== undefined) {
      await using engine = await createEngine({ modelPath: path, device, contextLength: 64, maxSequences: 1, kvTokens: 64 });
      return engine.info.family === '' ? 'no family' : '';
    }
    using checkpoint = openCheckpoint(path);
    readVocabulary(checkpoint);
    return '';
  } catch (error) {
    return (error as { readonly code?: string }).code ?? 'foreign';
  }
}

process.on('message', async ({ first, hostile, device }: PeakRequest) => {
  await open(first, device);
  const before = process.resourceUsage().maxRSS;
  const files: { code: string; took: number }[] = [];
  for (const path of hostile) {
    const started = performance.now();
    const code = await open(path, device);
    files.push({ code, took: performance.now() - started });
  }
  process.send?.({ growth: (process.resourceUsage().maxRSS - before) * 1024, files } satisfies PeakAnswer, () => process.exit(0));
});
