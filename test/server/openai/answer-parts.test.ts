/** Parts are the same whether tokens are reported or not; where they are not, nothing of a token but its id is looked at. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TokenId } from '../../../runtime/index.ts';
import type { AnswerPart } from '../../../runtime/text/index.ts';
import { AnswerParts } from '../../../server/openai/answer-parts.ts';
import type { ScoredToken } from '../../../server/openai/answer-text.ts';

const token = (id: number): ScoredToken => ({ id: id as TokenId, logprobs: null, isEnd: false });

/** Token i brings the parts of its place. */
function create(script: readonly (readonly AnswerPart[])[], isReported: boolean, stops: readonly string[] = ['STOP']): AnswerParts {
  const write = (id: number): string => (script[id] ?? []).map((part) => ('text' in part ? part.text : '')).join('');
  const decoder = { push: (id: number) => [...(script[id] ?? [])], end: () => [] };
  return new AnswerParts(decoder, { stops, lengths: isReported ? { push: write, end: () => '' } : undefined, callLimit: 9 });
}

const part = fc.oneof(
  fc.record({ kind: fc.constant('content' as const), text: fc.constantFrom('a', 'ST', 'OP', '€ ', 'S') }),
  fc.record({ kind: fc.constant('reasoning' as const), text: fc.constantFrom('b', 'STOP') }),
);

test('with tokens and without them', () => {
  fc.assert(
    fc.property(fc.array(fc.array(part, { maxLength: 2 }), { maxLength: 12 }), (script) => {
      const read = (isReported: boolean): unknown => {
        const answer = create(script, isReported);
        const grown = script.map((_, id) => answer.push(token(id)));
        const parts = [...grown, answer.end()].flatMap((one) => one.parts.filter(({ text }) => text !== '').map(({ type, text }) => ({ type, text })));
        return { parts, stopped: grown.map(({ isStopped }) => isStopped), reasoningTokens: answer.reasoningTokens };
      };
      expect(read(false)).toEqual(read(true));
    }),
  );
});

test('thoughts are counted by all tokens that brought them', () => {
  const answer = create([[], [], [{ kind: 'reasoning', text: 'why' }], [], [{ kind: 'content', text: 'so' }], [{ kind: 'reasoning', text: 'x' }]], false);
  for (let id = 0; id < 6; id++) answer.push(token(id));
  expect(answer.reasoningTokens).toBe(4);
});

test('tokens that are not reported are not copied', () => {
  const answer = create([[{ kind: 'content', text: 'a' }]], false);
  const unread = {
    ...token(0),
    get logprobs(): null {
      throw new Error('it was read');
    },
  };
  expect(answer.push(unread)).toEqual({ parts: [{ type: 'text', text: 'a', tokens: undefined }], isStopped: false });
});
