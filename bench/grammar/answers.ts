/**
 * Owns whether answers of a real model under random schemas are what they must be: each is held against another implementation, ajv. Refuses to
 * count an answer that was cut, which no grammar makes whole.
 */
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { type DeviceName, type Engine, InwardError, type LogitBias, openEngine, type Sampling, type TokenId } from '../../runtime/index.ts';
import { openText, type TextModel } from '../../runtime/text/index.ts';
import { schemas } from './random.ts';

export interface AnswersOptions {
  readonly modelPath: string;
  readonly device: DeviceName;
  /** Whole ones that are wanted; a cut one has another in its place, up to ten times as many. */
  readonly count: number;
  /** Of the schemas, and of what is drawn under each. */
  readonly seed: number;
  /** Tokens of an answer at most. */
  readonly longest: number;
  /** Told the part of the answers that is there, 0 to 1. */
  readonly onProgress?: (part: number) => void;
}

export interface AnswersRecord {
  /** Asked for, of schemas that can be enforced. */
  answers: number;
  /** Whole and accepted by ajv. */
  valid: number;
  /** Whole, and not accepted. */
  rejected: number;
  /** At their most tokens, so no whole text. */
  cut: number;
  /** Ended by a bound of the grammar. */
  stopped: number;
  /** Schemas that were passed over: not enforceable, or met by nothing. */
  refused: number;
  tokens: number;
  /** Of them, those without a choice, for which no step was made. */
  forced: number;
  readonly ms: number;
}

/** Answers that run at once. */
const together = 16;
/** Added to the logits of marks that close something, so that answers under schemas that allow everything end. */
const closing = 6;
const ajv = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: true });

export async function judgeAnswers(options: AnswersOptions): Promise<AnswersRecord> {
  const { modelPath, device, count, seed, longest, onProgress } = options;
  await using text = await openText({ modelPath });
  await using engine = await openEngine({ modelPath, device, vocabulary: text.vocabulary, maxSequences: together, contextLength: 2048, kvTokens: 16_384 });
  const record = { answers: 0, valid: 0, rejected: 0, cut: 0, stopped: 0, refused: 0, tokens: 0, forced: 0, ms: 0 };
  const started = performance.now();
  const drawn = drawSchemas(seed);
  const logitBias = await listClosing(text);
  const isWanting = (): boolean => record.valid + record.rejected < count && record.answers < 10 * count;
  const work = async (): Promise<void> => {
    while (isWanting()) {
      const schema = drawn();
      const grammar = { kind: 'schema', source: new Uint8Array(Buffer.from(JSON.stringify(schema))) } as const;
      if (!(await isEnforceable(text, grammar))) record.refused++;
      else if (isWanting())
        await judge(engine, text, { schema, grammar, sampling: { temperature: 1, seed: seed + record.answers++, logitBias }, longest }, record);
      onProgress?.(Math.min(1, (record.valid + record.rejected) / count));
    }
  };
  await Promise.all(Array.from({ length: together }, work));
  return { ...record, forced: engine.stats().forcedTokens, ms: performance.now() - started };
}

async function listClosing(text: TextModel): Promise<LogitBias[]> {
  const spelled = await Promise.all(['"', '}', ']', '"}', '"]'].map((mark) => text.encode(mark, { addSpecial: false })));
  const ids = new Set([...text.info.stopIds, ...spelled.flatMap((ids) => (ids.length === 1 ? [ids[0] as TokenId] : []))]);
  return Array.from(ids, (id) => ({ id, bias: closing }));
}

function drawSchemas(seed: number): () => object | boolean {
  let [from, batch]: [number, (object | boolean)[]] = [seed, []];
  return () => {
    // ajv counts items of one `contains` within another one together.
    while (batch.length === 0)
      batch = fc.sample(schemas, { seed: from++, numRuns: 100 }).filter((schema) => JSON.stringify(schema).split('"contains"').length <= 2);
    return batch.pop()!;
  };
}

async function isEnforceable(text: TextModel, grammar: Parameters<TextModel['checkGrammar']>[0]): Promise<boolean> {
  try {
    await text.checkGrammar(grammar);
    return true;
  } catch (error) {
    if (error instanceof InwardError && error.code.startsWith('grammar_')) return false;
    throw error;
  }
}

interface Asked {
  readonly schema: object | boolean;
  readonly grammar: Parameters<TextModel['checkGrammar']>[0];
  readonly sampling: Sampling;
  readonly longest: number;
}

async function judge(engine: Engine, text: TextModel, { schema, grammar, sampling, longest }: Asked, record: AnswersRecord): Promise<void> {
  const question = `Answer with JSON that meets this schema: ${JSON.stringify(schema)}`.slice(0, 400);
  const promptIds = text.info.hasChatTemplate ? await text.encodeChat([{ role: 'user', content: question }]) : await text.encode(question);
  const decoder = text.createDecoder();
  let [answer, reason] = ['', ''];
  try {
    for await (const event of engine.generate({ promptIds, maxTokens: longest, stopIds: text.info.stopIds, grammar, sampling })) {
      if (event.type === 'end') reason = event.reason;
      if (event.type !== 'token') continue;
      record.tokens++;
      answer += decoder.push(event.id);
    }
  } catch (error) {
    if (!(error instanceof InwardError && error.code === 'grammar_too_large')) throw error;
    record.stopped++;
    return;
  }
  if (reason === 'length') record.cut++;
  else if (isValid(schema, answer + decoder.end())) record.valid++;
  else record.rejected++;
}

function isValid(schema: object | boolean, answer: string): boolean {
  try {
    return ajv.validate(schema, JSON.parse(answer));
  } catch {
    return false;
  }
}
