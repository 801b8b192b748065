/** Prompts of gpt-oss equal those of openai/harmony's own tests; types of functions by its documentation's examples. */
import { describe, expect, test } from 'vitest';
import { type HarmonyMessage, renderHarmony } from '../../../runtime/text/index.ts';
import { readFixture } from '../../test-data.ts';

interface Case {
  readonly id: string;
  readonly messages: HarmonyMessage[];
  readonly next_role: string;
  readonly auto_drop_analysis: boolean;
  readonly expected: string;
}
const cases: Case[] = readFixture('chat/harmony.jsonl.gz')
  .toString('utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

test.each(cases)('$id', ({ messages, next_role: nextRole, auto_drop_analysis: dropsAnalysis, expected }) => {
  expect(renderHarmony(messages, { nextRole, dropsAnalysis })).toBe(expected);
});

describe('by the documentation of the format', () => {
  test('a call, its result and the answer', () => {
    const messages: HarmonyMessage[] = [
      { role: 'user', content: 'Weather?' },
      { role: 'assistant', channel: 'analysis', content: 'Look.' },
      { role: 'assistant', channel: 'commentary', recipient: 'functions.weather', content_type: '<|constrain|>json', content: '{"city":"Bern"}' },
      { role: 'tool', name: 'functions.weather', recipient: 'assistant', channel: 'commentary', content: '{"sunny":true}' },
    ];
    expect(renderHarmony(messages, { nextRole: 'assistant' })).toBe(
      '<|start|>user<|message|>Weather?<|end|><|start|>assistant<|channel|>analysis<|message|>Look.<|end|><|start|>assistant to=functions.weather<|channel|>commentary <|constrain|>json<|message|>{"city":"Bern"}<|call|><|start|>functions.weather to=assistant<|channel|>commentary<|message|>{"sunny":true}<|end|><|start|>assistant',
    );
  });
  test('functions as types', () => {
    const functions = [
      { name: 'get_location', description: 'Gets the location of the user.' },
      {
        name: 'get_current_weather',
        description: 'Gets the current weather in the provided location.',
        parameters: {
          type: 'object',
          properties: {
            location: { type: 'string', description: 'The city and state, e.g. San Francisco, CA' },
            format: { type: 'string', enum: ['celsius', 'fahrenheit'], default: 'celsius' },
          },
          required: ['location'],
        },
      },
      {
        name: 'get_multiple_weathers',
        parameters: { type: 'object', properties: { locations: { type: 'array', items: { type: 'string' } } }, required: ['locations'] },
      },
    ];
    expect(renderHarmony([{ role: 'developer', instructions: 'Be kind.', functions }])).toBe(
      `<|start|>developer<|message|># Instructions

Be kind.

# Tools

## functions

namespace functions {

// Gets the location of the user.
type get_location = () => any;

// Gets the current weather in the provided location.
type get_current_weather = (_: {
// The city and state, e.g. San Francisco, CA
location: string,
format?: "celsius" | "fahrenheit", // default: celsius
}) => any;

type get_multiple_weathers = (_: {
locations: string[],
}) => any;

} // namespace functions<|end|>`,
    );
  });
});
