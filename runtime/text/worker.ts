/**
 * Owns the worker thread: builds tokenizer and template from the model file, then answers one request at a time.
 * Refuses to keep anything of a request, and to fail with anything but a code of the error table.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openCheckpoint } from '../checkpoint/index.ts';
import { InwardError, toInwardError } from '../errors.ts';
import { createPieces } from './pieces.ts';
import type { WorkerAnswer, WorkerRequest, WorkerStart } from './protocol.ts';
import { type ChatTemplate, createTemplate, markMessages } from './template.ts';
import { createTokenizer, forgetMatches, type Tokenizer } from './tokenizer.ts';
import type { ChatMessage, TextInfo } from './types.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

interface Text {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate | undefined;
  readonly templateSource: string;
}

// A library's warning may show what it was given.
for (const method of ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const) console[method] = () => {};

const port = parentPort;
if (port !== null) serve(port, workerData as WorkerStart);

function serve(answers: NonNullable<typeof parentPort>, start: WorkerStart): void {
  const fail = (error: unknown) => {
    const { code, fields } = toInwardError(error, 'text worker');
    answers.postMessage({ kind: 'failed', code, fields } satisfies WorkerAnswer);
  };
  try {
    const { text, ready, buffers } = open(start.modelPath);
    answers.on('message', (request: WorkerRequest) => {
      try {
        const ids = answer(text, request);
        answers.postMessage({ kind: 'ids', ids } satisfies WorkerAnswer, [ids.buffer]);
      } catch (error) {
        fail(error);
      } finally {
        forgetMatches();
      }
    });
    answers.postMessage(ready, buffers);
  } catch (error) {
    fail(error);
  }
}

function open(modelPath: string): { readonly text: Text; readonly ready: WorkerAnswer; readonly buffers: ArrayBuffer[] } {
  // Closed before the first request: what is needed of the metadata is in the tokenizer then.
  using checkpoint = openCheckpoint(modelPath);
  const vocabulary = readVocabulary(checkpoint);
  const pieces = createPieces(vocabulary);
  const templateSource = vocabulary.chatTemplate ?? '';
  return {
    text: {
      tokenizer: createTokenizer(vocabulary),
      template: vocabulary.chatTemplate === undefined ? undefined : createTemplate(templateSource, templateTokens(vocabulary)),
      templateSource,
    },
    ready: { kind: 'ready', info: describe(vocabulary), pieces },
    buffers: [pieces.offsets.buffer as ArrayBuffer, pieces.bytes.buffer as ArrayBuffer],
  };
}

function templateTokens({ tokens, bosId, eosId }: Vocabulary): Readonly<Record<string, string>> {
  return { bos_token: tokens[bosId ?? -1] ?? '', eos_token: tokens[eosId ?? -1] ?? '' };
}

function describe(vocabulary: Vocabulary): TextInfo {
  return {
    vocabularySize: vocabulary.tokens.length,
    ...(vocabulary.bosId === undefined ? {} : { bosId: vocabulary.bosId }),
    stopIds: vocabulary.stopIds,
    hasChatTemplate: vocabulary.chatTemplate !== undefined,
  };
}

function answer(text: Text, request: WorkerRequest): Uint32Array<ArrayBuffer> {
  return request.kind === 'text' ? text.tokenizer.encode(request.text, request) : encodeChat(text, request.messages);
}

function encodeChat({ tokenizer, template, templateSource }: Text, messages: readonly ChatMessage[]): Uint32Array<ArrayBuffer> {
  if (template === undefined) throw new InwardError('template_missing');
  const options = { addSpecial: true, parseSpecial: true };
  const { controlPattern } = tokenizer;
  if (controlPattern === undefined) return tokenizer.encode(template.render(messages), options);
  const marked = markMessages(messages, templateSource, controlPattern);
  return tokenizer.encode(template.render(marked.messages), { ...options, marker: marked.marker });
}
