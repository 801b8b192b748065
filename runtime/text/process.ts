/**
 * The text process: builds tokenizer and template from the model file, then answers one request at a time.
 * Refuses to keep anything of a request, to fail with anything but a code of the error table, and to outlive its parent.
 */
import { hashHeader } from '../checkpoint/fingerprint.ts';
import { openCheckpoint } from '../checkpoint/index.ts';
import { InwardError, toInwardError } from '../errors.ts';
import { Link } from '../link/link.ts';
import { lockFiles } from '../lock.ts';
import { createPieces } from './pieces.ts';
import { type ProcessAnswer, type ProcessRequest, type ProcessStart, type RequestFailure, requestFailures } from './protocol.ts';
import { type ChatTemplate, createTemplate, markMessages } from './template.ts';
import { createTokenizer, forgetMatches, type Tokenizer } from './tokenizer.ts';
import type { ChatMessage, TextInfo } from './types.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

interface Text {
  readonly tokenizer: Tokenizer;
  readonly template: ChatTemplate | undefined;
  readonly templateSource: string;
  readonly isChatWrapped: boolean;
}

let text: Text | undefined;

const parent = Link.toParent<ProcessAnswer, ProcessStart | ProcessRequest>();
const send = (answer: ProcessAnswer): void => parent.send(answer);

function receive(message: ProcessStart | ProcessRequest): void {
  try {
    if ('modelPath' in message) start(message);
    else if (text !== undefined) sendIds(answer(text, message));
  } catch (error) {
    const { code, fields } = toInwardError(error, 'the text process');
    if (text === undefined) send({ kind: 'refused', code, fields });
    else send({ kind: 'failed', code: requestFailures.includes(code as RequestFailure) ? (code as RequestFailure) : 'internal' });
  } finally {
    forgetMatches();
  }
}

parent.listen({ message: receive, closed: () => process.exit(0) });
// The parent decides when to stop; a Ctrl-C in the terminal reaches both processes.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);

function sendIds(ids: Uint32Array): void {
  send({ kind: 'ids', ids });
  // The message has its own copy by now.
  ids.fill(0);
}

function start({ modelPath }: ProcessStart): void {
  // Closed before the first request: what is needed of the metadata is in the tokenizer then.
  using checkpoint = openCheckpoint(modelPath);
  const vocabulary = readVocabulary(checkpoint);
  const templateSource = vocabulary.templates.standard;
  const ready: ProcessAnswer = {
    kind: 'ready',
    info: describe(vocabulary),
    pieces: createPieces(vocabulary),
    fingerprint: hashHeader(checkpoint) + vocabulary.digest,
  };
  text = {
    tokenizer: createTokenizer(vocabulary),
    template: templateSource === undefined ? undefined : createTemplate(templateSource, templateTokens(vocabulary)),
    templateSource: templateSource ?? '',
    isChatWrapped: vocabulary.isChatWrapped,
  };
  // Before the first request.
  lockFiles();
  send(ready);
}

function templateTokens({ tokens, bosId, eosId }: Vocabulary): Readonly<Record<string, string>> {
  return { bos_token: tokens[bosId ?? -1] ?? '', eos_token: tokens[eosId ?? -1] ?? '' };
}

function describe(vocabulary: Vocabulary): TextInfo {
  return {
    vocabularySize: vocabulary.tokens.length,
    ...(vocabulary.bosId === undefined ? {} : { bosId: vocabulary.bosId }),
    stopIds: vocabulary.stopIds,
    hasChatTemplate: vocabulary.templates.standard !== undefined,
  };
}

function answer(text: Text, request: ProcessRequest): Uint32Array<ArrayBuffer> {
  return request.kind === 'text' ? text.tokenizer.encode(request.text, request) : encodeChat(text, request.messages);
}

function encodeChat({ tokenizer, template, templateSource, isChatWrapped }: Text, messages: readonly ChatMessage[]): Uint32Array<ArrayBuffer> {
  if (template === undefined) throw new InwardError('template_missing');
  const options = { addSpecial: isChatWrapped, parseSpecial: true };
  const { controlPattern } = tokenizer;
  if (controlPattern === undefined) return tokenizer.encode(template.render(messages), options);
  const marked = markMessages(messages, templateSource, controlPattern);
  return tokenizer.encode(template.render(marked.messages), { ...options, marker: marked.marker });
}
