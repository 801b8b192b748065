/**
 * Owns `inward audit key`: what to note down outside of the site, so that a log that was written anew is found out.
 */
import { Command } from 'commander';
import { decodeRecord } from '../../privacy/audit/events.ts';
import { formatKey } from '../../privacy/audit/note.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';
import { createStyle } from '../style.ts';
import { addAuditOptions, type NumberedLog, openAudit } from './common.ts';

export function createAuditKeyCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('key').description('Print the first public key and the present checkpoint of each log, to be noted down outside of the site.');
  return addAuditOptions(command)
    .addHelpText('after', formatExamples(['inward audit key', 'inward audit key --log 1 > keys-2026-11.txt']))
    .action(async (flags: Flags) => onExit(await runKey(flags, world)));
}

async function runKey(flags: Flags, world: World): Promise<number> {
  const { site, logs } = await openAudit(flags, world);
  await using _ = site;
  const style = createStyle(world.out, world.environment);
  for (const log of logs) world.out.write(`${style.bold(`Log ${log.number}`)}\n${describeKey(log)}\n`);
  return 0;
}

function describeKey({ reader }: NumberedLog): string {
  const state = reader.state();
  if (state === undefined) return 'It has no record yet.\n';
  const text = reader.recordAt(0);
  const first = text === undefined ? undefined : decodeRecord(text);
  const key =
    first?.event === 'log_created'
      ? `Its first key:\n${formatKey(first.log, Buffer.from(first.key, 'base64'))}\n`
      : 'Its first key was purged with its first records: it is where you noted it down.\n';
  return `${key}Its checkpoint now:\n${state.note}`;
}
