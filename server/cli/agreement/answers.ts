/**
 * Owns how an answer becomes what a field holds, from an option or on a terminal. Refuses, at once and with the rule, what the
 * schema or a rule with the answers before does not permit.
 */
import { InvalidArgumentError, Option } from 'commander';
import { type Agreement, expectedFields, findBrokenRule, fitsField } from '../../privacy/agreement.ts';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';
import type { Asker } from '../ask.ts';
import type { Draft, Field, Part } from './fields.ts';

/** A value may be undefined: a field that is left out. */
interface Answer {
  readonly value: unknown;
}

/** What text stands for in a field; undefined: nothing that fits. Throws SiteError where it names a file that cannot be read. */
export function readAnswer(field: Field, text: string, world: World): Answer | undefined {
  const value = parse(field, text, world);
  return fitsField(field.name, field.least === undefined ? value : [value]) ? { value } : undefined;
}

function describeExpected({ name, expected, parts }: Field): string {
  const form = parts === undefined ? '' : `, as "${parts.map(({ label }) => label).join('; ')}"`;
  return `${expected ?? expectedFields[name]}${form}`;
}

/** The option of a field. */
export function createFieldOption(field: Field, world: World): Option {
  const option = new Option(field.flags, field.help);
  if (!field.flags.includes('<')) return option;
  if (field.choices !== undefined && !field.isList) return option.choices(field.choices);
  return option.argParser((text, before: unknown) => {
    const answer = readAnswer(field, text, world);
    if (answer === undefined) throw new InvalidArgumentError(`Expected ${describeExpected(field)}.`);
    if (field.least === undefined) return answer.value;
    return Array.isArray(before) ? [...before, answer.value] : [answer.value];
  });
}

/** Asks until there is an answer that keeps the rules. */
export async function askField(field: Field, draft: Draft, asker: Asker, world: World): Promise<unknown> {
  for (;;) {
    const value = await askOnce(field, draft, asker, world);
    const broken = findBrokenRule(field.name, { ...draft, [field.name]: value } as Partial<Agreement>);
    if (broken === undefined) return value;
    world.out.write(`The field "${field.name}" ${broken}.\n`);
  }
}

async function askOnce(field: Field, draft: Draft, asker: Asker, world: World): Promise<unknown> {
  const { label, choices, parts } = field;
  if (choices !== undefined) return field.isList ? asker.list({ label, choices }) : asker.choice({ label, choices });
  if (parts !== undefined) return field.least === undefined ? askParts(label, parts, asker) : askEach(field, parts, field.least(draft), asker, world);
  const read = (text: string): Answer | undefined => {
    try {
      return readAnswer(field, text, world);
    } catch (error) {
      if (error instanceof SiteError) return undefined;
      throw error;
    }
  };
  return (await asker.text({ label, expected: describeExpected(field), read, standard: field.standard?.(draft) })).value;
}

async function askParts(label: string, parts: readonly Part[], asker: Asker): Promise<Record<string, string>> {
  const value: Record<string, string> = {};
  for (const { key, label: name, expected, choices, standard, fits } of parts) {
    const question = `${label}, ${name}`;
    value[key] =
      choices === undefined
        ? await asker.text({ label: question, expected, read: (text) => (fits(text) ? text : undefined), standard: standard?.() })
        : await asker.choice({ label: question, choices });
  }
  return value;
}

async function askEach(field: Field, parts: readonly Part[], least: number, asker: Asker, world: World): Promise<unknown[]> {
  const entries: unknown[] = [];
  for (;;) {
    const question = entries.length === 0 ? `Is there a ${field.label.toLowerCase()}?` : `Another ${field.label.toLowerCase()}?`;
    if (entries.length >= least && !(await asker.confirm(question))) return entries;
    const entry = await askParts(field.label, parts, asker);
    if (fitsField(field.name, [...entries, entry])) entries.push(entry);
    else world.out.write(`Expected ${expectedFields[field.name]}.\n`);
  }
}

function parse({ choices, isList, parts, read }: Field, text: string, world: World): unknown {
  if (parts !== undefined) return parseParts(parts, text);
  if (choices !== undefined && isList) return text === 'all' ? choices : text.split(/[\s,]+/).filter(Boolean);
  return read === undefined ? text : read(text, world);
}

function parseParts(parts: readonly Part[], text: string): Record<string, string> | undefined {
  const texts = text.split(';').map((part) => part.trim());
  if (texts.length !== parts.length) return undefined;
  return Object.fromEntries(parts.map(({ key }, index) => [key, texts[index] ?? '']));
}
