/**
 * Owns the one table of errors that Inward raises: code, HTTP status class, sentence, remedy.
 * Refuses free text: the fields of an error are numbers or names from closed lists (a path the operator
 * gave on the command line counts as the operator's own), so that no prompt, completion or token id can
 * ever travel in an error. Who wants to say more adds a row here.
 */

/** What a field of an error may be: a number, or a name that the code (never a request) chose. */
export type ErrorField = number | string;

interface ErrorRow {
  /** Whose fault it is: the request's, the server's load, the operator's set-up, or ours. */
  readonly kind: 'request' | 'busy' | 'setup' | 'internal';
  /** Sentence with {field} places. */
  readonly sentence: string;
  /** What to do about it. */
  readonly remedy: string;
}

// biome-ignore format: a table
const table = {
  // requests
  invalid_request: { kind: 'request', sentence: 'The request field {path} breaks the rule "{rule}".', remedy: 'Correct that field and send the request again.' },
  prompt_empty: { kind: 'request', sentence: 'The prompt has no tokens.', remedy: 'Send at least one token.' },
  prompt_too_long: { kind: 'request', sentence: 'The prompt has {found} tokens and the context holds {limit}.', remedy: 'Shorten the prompt, or start the server with a larger --context.' },
  text_too_long: { kind: 'request', sentence: 'Text {place} of {count} has {found} tokens and the model takes {limit}.', remedy: 'Shorten the text, or ask for it to be truncated.' },
  generation_unsupported: { kind: 'request', sentence: 'The loaded model is an encoder ({family}), which gives embeddings and generates nothing.', remedy: 'Ask for embeddings, or load a decoder.' },
  embeddings_unsupported: { kind: 'request', sentence: 'The loaded model is a decoder ({family}), which gives no embeddings.', remedy: 'Load an encoder.' },
  token_out_of_range: { kind: 'request', sentence: 'A token id lies outside the vocabulary of {limit} tokens.', remedy: 'Encode the prompt with the tokenizer of the loaded model.' },
  template_failed: { kind: 'request', sentence: 'The chat template of the model refused the messages.', remedy: 'Check the roles and their order against what the model supports.' },
  template_missing: { kind: 'request', sentence: 'The loaded model carries no chat template.', remedy: 'Serve an instruction-tuned model, or send plain prompts.' },
  text_unencodable: { kind: 'request', sentence: 'The vocabulary of the model has no token for a part of the text.', remedy: 'Serve a model whose vocabulary has all bytes, or leave such characters out.' },
  text_deadline: { kind: 'request', sentence: 'Turning the request into tokens took longer than {limit} ms and was stopped.', remedy: 'Send a shorter request; if every request fails, the chat template of the model does not end.' },
  text_memory: { kind: 'request', sentence: 'Turning the request into tokens needed more than {limit} MiB and was stopped.', remedy: 'Send a shorter request; if every request fails, the chat template of the model uses too much memory.' },
  grammar_invalid: { kind: 'request', sentence: 'The grammar does not {rule} at {path}.', remedy: 'Correct it and send the request again.' },
  grammar_unenforceable: { kind: 'request', sentence: 'The keyword {keyword} at {path} cannot be enforced.', remedy: 'Leave it out, or say the same with keywords of docs/grammar.md.' },
  grammar_empty: { kind: 'request', sentence: 'No answer can meet the grammar.', remedy: 'Look for parts of it that contradict each other.' },
  grammar_stuck: { kind: 'request', sentence: 'The vocabulary of the model has no token for what must come next.', remedy: 'Serve a model whose vocabulary has all bytes, or allow other text there.' },
  calls_unenforceable: { kind: 'request', sentence: 'Calls as this model writes them ({format}) cannot be enforced.', remedy: 'Use a tool_choice of auto or none, and tools without strict.' },
  grammar_too_large: { kind: 'request', sentence: 'The grammar needs more than {limit} {what}.', remedy: 'Send a smaller one, or one with fewer alternatives.' },
  deadline_exceeded: { kind: 'busy', sentence: 'The request did not end within {limit} ms.', remedy: 'Ask for fewer tokens, give it more time, or try again when fewer requests run.' },
  deadline_unreachable: { kind: 'busy', sentence: 'The request can no longer end within {limit} ms: its turn is expected in {waitMs} ms.', remedy: 'Give it more time, or try again after the time in Retry-After.' },
  aborted: { kind: 'request', sentence: 'The request was cancelled.', remedy: 'Nothing: its memory has been freed.' },
  // load
  queue_full: { kind: 'busy', sentence: 'All {limit} places in the queue are taken.', remedy: 'Try again after the time in Retry-After.' },
  engine_restarted: { kind: 'busy', sentence: 'The engine process was lost while it worked on the request.', remedy: 'Send the request again after the time in Retry-After: the engine is being started anew.' },
  shutting_down: { kind: 'busy', sentence: 'The server is shutting down.', remedy: 'Send the request to another server or try again later.' },
  // set-up
  invalid_option: { kind: 'setup', sentence: 'The option {option} breaks the rule "{rule}".', remedy: 'Correct it and open again.' },
  file_missing: { kind: 'setup', sentence: 'There is no readable file at {path}.', remedy: 'Give the path of a GGUF file, or of a checkpoint folder.' },
  model_changed: { kind: 'setup', sentence: 'The model file at {path} is no longer the one that was opened.', remedy: 'Put that one back, or restart so that everything uses the new one.' },
  default_model_missing: { kind: 'setup', sentence: 'The default model could not be fetched: {reason}; the file {file} with SHA-256 {sha256} belongs at {path}.', remedy: 'Put it there, or serve another GGUF file with --model.' },
  gguf_invalid: { kind: 'setup', sentence: 'The GGUF file is not usable: {part}: expected {expected}, found {found}.', remedy: 'Fetch the file again, or convert the model anew.' },
  checkpoint_invalid: { kind: 'setup', sentence: 'The model folder is not usable: {part}: expected {expected}, found {found}.', remedy: 'Fetch its files again, or convert the model anew.' },
  model_unsupported: { kind: 'setup', sentence: 'The model is not supported: {part}: expected {expected}, found {found}.', remedy: 'Choose a model of a supported family and storage format.' },
  out_of_memory: { kind: 'setup', sentence: '{owner} needs {needed}, and {free} are free.', remedy: 'Lower --context or --max-sequences, or choose a smaller model.' },
  device_missing: { kind: 'setup', sentence: 'The device "{wanted}" is not here; this machine has: {available}.', remedy: 'Choose one of those with --device, or leave it out.' },
  no_device: { kind: 'setup', sentence: 'No device works here ({reasons}).', remedy: 'Connect this machine to a network so that a software device can be fetched, or install a Vulkan driver.' },
  device_unfit: { kind: 'setup', sentence: 'The device lacks {feature}: expected {expected}, found {found}.', remedy: 'Choose another device with --device.' },
  gpus_missing: { kind: 'setup', sentence: '{wanted} stages need a GPU each, and this machine has {found}.', remedy: 'Lower --stages, or choose a software device with --device.' },
  gpu_shared: { kind: 'setup', sentence: 'Stage {stage} has no GPU of its own: expected a device node that no other stage has open, found {found}.', remedy: 'Start with fewer --stages, or look at what keeps the driver from the other GPUs.' },
  device_lost: { kind: 'internal', sentence: 'The device was lost ({reason}).', remedy: 'Restart the server; if it happens again, look at the driver.' },
  // ours
  logits_invalid: { kind: 'internal', sentence: 'The model gave logits that are not numbers.', remedy: 'Check the model file; if only some requests fail, report how to make it happen.' },
  answer_invalid: { kind: 'internal', sentence: 'An answer does not keep to the schema that it was held to.', remedy: 'Report how to make it happen; answers are valid by construction, and this is the second look.' },
  engine_stopped: { kind: 'internal', sentence: 'The engine process ended unexpectedly (exit code {code}).', remedy: 'Restart the server and report how to make it happen.' },
  engine_stuck: { kind: 'internal', sentence: 'The engine process said nothing for {limit} ms and was ended.', remedy: 'Restart the server; if it happens again, look at the driver.' },
  stage_lost: { kind: 'internal', sentence: 'A stage of the model was lost ({reason}).', remedy: 'Restart the server; if it happens again, look at the driver.' },
  internal: { kind: 'internal', sentence: 'Inward failed inside {part}.', remedy: 'Report how to make it happen.' },
} as const;

/** The codes of the table. */
export type ErrorCode = keyof typeof table;
/** Whose fault an error is: of the request, of the server's load, of the operator's set-up, or ours. */
export type ErrorKind = ErrorRow['kind'];
/** The table as data. */
export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = table;
/** What the places of the sentence are filled with. */
export type ErrorFields = Readonly<Record<string, ErrorField>>;

/** Whether a value is a code of the table. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(table, value);
}

/** The only error class that leaves a door of Inward. */
export class InwardError extends Error {
  override readonly name = 'InwardError';
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, fields: ErrorFields = {}) {
    super(`${errorTable[code].sentence.replace(/\{(\w+)\}/g, (_, key: string) => String(fields[key] ?? '?'))} ${errorTable[code].remedy}`);
    this.code = code;
    this.fields = fields;
  }

  get kind(): ErrorKind {
    return errorTable[this.code].kind;
  }
}

/** Any thrown thing as an InwardError; what is not ours keeps only the part that failed, never its message. */
export function toInwardError(error: unknown, part: string): InwardError {
  return error instanceof InwardError ? error : new InwardError('internal', { part });
}

/** Bytes as people read them: `5.1 GiB`. */
export function formatBytes(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = size;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
