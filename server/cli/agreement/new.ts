/**
 * Owns `inward agreement new`: the record of an agreement, asked for field by field, or made of options. Refuses to write a
 * record that breaks a rule, and over a file that is there.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { type Agreement, readAgreement } from '../../privacy/agreement.ts';
import { type Envelope, writeEnvelope } from '../../privacy/envelope.ts';
import { writeNewFile } from '../../privacy/files.ts';
import type { World } from '../../world.ts';
import { canAsk, openAsker } from '../ask.ts';
import { type Flags, UsageError } from '../options.ts';
import { askField, createFieldOption, readAnswer } from './answers.ts';
import { type Draft, type Field, fields } from './fields.ts';
import { describeAgreement } from './words.ts';

const intro = `The record of an agreement, field by field. A default stands in brackets. Nothing is written before the last answer.
  self-operated  the covered entity runs this server itself
  baa            business associates take part; their contract is signed
  synthetic      an evaluation without PHI

`;

export function createNewCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('new').description('Make the record of an agreement. Asks on a terminal for what no option says.');
  for (const field of fields) command.addOption(createFieldOption(field, world));
  return command
    .option('--out <file>', 'new file for the record (default: its id, with .json, in the current folder)')
    .option('--yes', 'ask nothing: what no option says is the default')
    .addHelpText(
      'after',
      `
Examples:
  inward agreement new
  inward agreement new --kind self-operated --entity "St. Mary Hospital; 12-3456789" --signatory "Jane Roe; Privacy Officer; 2026-11-20" \\
    --expires 2027-11-24 --purposes documentation,messaging --regions us-east --out agreement.json`,
    )
    .action(async (flags: Flags) => onExit(await runNew(flags, world)));
}

async function runNew(flags: Flags, world: World): Promise<number> {
  const agreement = await collect(flags, world);
  const envelope: Envelope = { type: 'inward.agreement.v1', record: { ...agreement }, signatures: [] };
  const path = resolve(world.folder, typeof flags['out'] === 'string' ? flags['out'] : `${agreement.id}.json`);
  writeNewFile(path, writeEnvelope(envelope), 0o644);
  world.out.write(`\n${describeAgreement(agreement)}\nWritten to ${path}, not signed yet. Next: inward agreement sign ${path} --key PRIVATE.pem\n`);
  return 0;
}

async function collect(flags: Flags, world: World): Promise<Agreement> {
  const draft: Draft = {};
  for (const field of fields) {
    const given = flags[createFieldOption(field, world).attributeName()];
    if (given !== undefined) draft[field.name] = given;
  }
  using asker = flags['yes'] !== true && canAsk(world) ? openAsker(world) : undefined;
  if (asker !== undefined) world.out.write(intro);
  const missing: string[] = [];
  for (const field of fields) {
    if (draft[field.name] !== undefined) continue;
    if (!hasQuestion(field, draft)) draft[field.name] = field.blank;
    else if (asker !== undefined) draft[field.name] = await askField(field, draft, asker, world);
    else if (!takeStandard(field, draft, world)) missing.push(field.flags);
  }
  if (missing.length > 0) throw new UsageError(`Without a terminal to ask on, these options must be there too: ${missing.join(', ')}`);
  return readAgreement({ type: 'inward.agreement.v1', record: draft, signatures: [] });
}

/** Before the kind is known, what most have. */
function hasQuestion({ kinds, isOpen }: Field, draft: Draft): boolean {
  const kind = kinds.find((known) => known === (draft.kind ?? 'self-operated'));
  return kind !== undefined && (isOpen === undefined || isOpen(draft));
}

/** Takes what silence means where nobody is asked; false: nothing. */
function takeStandard(field: Field, draft: Draft, world: World): boolean {
  const text = field.isExplicit && draft.kind !== 'synthetic' ? undefined : field.standard?.(draft);
  const isEmptyList = field.least?.(draft) === 0;
  if (isEmptyList) draft[field.name] = [];
  if (text !== undefined) draft[field.name] = readAnswer(field, text, world)?.value;
  return isEmptyList || text !== undefined;
}
