/**
 * Owns `inward audit verifier`: the programs by which an auditor checks a log on a machine of his own. Refuses a folder that holds something.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { createVerifierPage } from '../../privacy/audit/verify.html.ts';
import { SiteError } from '../../privacy/errors.ts';
import { writeNewFile } from '../../privacy/files.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import type { Flags } from '../options.ts';

/** From this file. */
const verifier = '../../privacy/audit/verify.mjs';
const papers = ['../../../docs/verify-audit.py', '../../../docs/audit.md'];

export function createAuditVerifierCommand(world: World, onExit: (code: number) => void): Command {
  return new Command('verifier')
    .description('Write the verifier to a folder, for a machine of the auditor: it needs Node or a browser, and nothing of this site.')
    .addOption(new Option('--out <folder>', 'a folder that is not there yet, or empty').makeOptionMandatory())
    .addHelpText('after', formatExamples(['inward audit verifier --out verifier', 'node verifier/verify.mjs copy-of-the-log --key first.key']))
    .action((flags: Flags) => onExit(writeVerifier(resolve(world.folder, String(flags['out'])), world)));
}

function writeVerifier(folder: string, world: World): number {
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new SiteError(`The folder ${folder} holds something: expected an empty one, or none of that name.`);
  try {
    mkdirSync(folder, { recursive: true });
  } catch {
    throw new SiteError(`The folder ${folder} cannot be made: expected a place where this user may write.`);
  }
  const read = (path: string): string => readFileSync(join(import.meta.dirname, path), 'utf8');
  const texts = new Map([verifier, ...papers].map((path) => [basename(path), read(path)])).set('verify.html', createVerifierPage(read(verifier)));
  for (const [name, text] of texts) writeNewFile(join(folder, name), text, 0o644);
  world.out.write(`${[...texts.keys()].join(', ')}: in ${folder}.\n`);
  return 0;
}
