/** Chat templates render what others recorded, and what Python's Jinja2 renders as transformers sets it up. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { InwardError } from '../../../runtime/errors.ts';
import { createTemplate, type TemplateVariables } from '../../../runtime/text/template.ts';
import { findTestData, readFixture } from '../../test-data.ts';

beforeEach(() => vi.useFakeTimers({ now: new Date(2025, 6, 10, 12) }));
afterEach(() => vi.useRealTimers());

interface Case {
  readonly id: string;
  readonly template: string;
  readonly context: TemplateVariables;
  /** undefined: the template itself refuses. */
  readonly expected?: string;
}

function render({ template, context }: Case): string | undefined {
  try {
    return createTemplate(template, {}).render(context);
  } catch (error) {
    expect((error as InwardError).code).toBe('template_failed');
    return undefined;
  }
}

const lines = <T>(text: string): T[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const check = (cases: readonly Case[]) => test.each(cases)('$id', (one) => expect(render(one)).toBe(one.expected));

describe('recorded by others', () => check(lines(readFixture('chat/recorded.jsonl.gz').toString('utf8'))));

interface Golden {
  readonly id: string;
  readonly template_name: string;
  readonly context_name: string;
  readonly extra: TemplateVariables;
  readonly expected?: string;
}

function readGoldens(folder: string): Case[] {
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const templates = new Map(lines<{ template_name: string; template: string }>(read('templates.dev.jsonl')).map((one) => [one.template_name, one.template]));
  const contexts: Record<string, TemplateVariables> = JSON.parse(read('contexts.json'));
  return lines<Golden>(read('goldens.dev.jsonl')).map(({ id, template_name, context_name, extra, expected }) => ({
    id,
    template: templates.get(template_name) ?? expect.fail('no such template'),
    context: { ...contexts[context_name], ...extra },
    ...(expected === undefined ? {} : { expected }),
  }));
}

const data = findTestData('Jinja2 goldens of 63 chat templates');
describe.skipIf(data === undefined)('Jinja2 goldens', () => check(data === undefined ? [] : readGoldens(join(data, 'data', 'chat'))));
