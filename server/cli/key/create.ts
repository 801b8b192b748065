/**
 * Owns `inward key create`: a key with its scopes, for a program. Refuses a key without a purpose, and purposes that do not go
 * with its class of data.
 */
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { Kind } from '../../config/kinds.ts';
import type { Hours, Scopes } from '../../privacy/grants.ts';
import { type AnswerShape, answerShapes, type DeidMode, deidModes, type PriorityClass, type Purpose, priorityClasses, purposes } from '../../privacy/words.ts';
import type { World } from '../../world.ts';
import { addCredentialOptions, type CredentialFlags, readCredential } from '../credentials.ts';
import { formatExamples } from '../group.ts';
import { parser, UsageError } from '../options.ts';
import { addSiteOptions, openSite, readTime } from '../site.ts';
import { dayMs, hours, listOf, networks, region, tokenCount } from '../values.ts';
import { deliverKey, issueKey, type KeyFlags, keyOptions, longestDays } from './common.ts';

interface CreateFlags extends KeyFlags, CredentialFlags {
  readonly out?: string;
  readonly purposes?: readonly Purpose[];
  readonly networks?: readonly string[];
  readonly hours?: Hours;
  readonly tokensPerMinute?: number;
  readonly tokensPerDay?: number;
  readonly priority: PriorityClass;
  readonly region?: string;
  readonly shape?: AnswerShape;
  readonly deid?: readonly ChosenMode[];
  readonly synthetic?: true;
}

export function createKeyCreateCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('create').description('Make a key for a program. Its secret is handed out once; the site keeps a hash of it.');
  for (const option of [...keyOptions(), ...scopeOptions()]) command.addOption(option);
  addCredentialOptions(command, 'and gets no secret');
  return addSiteOptions(command)
    .addHelpText(
      'after',
      formatExamples([
        'inward key create --label scribe --purposes documentation,summarization --networks 10.1.0.0/16',
        'inward key create --label coder --tenant billing --purposes coding --hours "mon-fri 07:00-19:00 America/Chicago" --expires 90d --out coder.key',
        'inward key create --label ehr --purposes messaging --certificate ehr-client.pem',
      ]),
    )
    .action(async (flags: CreateFlags) => onExit(await runCreate(flags, world)));
}

function scopeOptions(): Option[] {
  return [
    new Option('--purposes <list>', `why requests are made, of ${purposes.join(', ')}`).argParser(parser(listOf(purposes))),
    new Option('--networks <list>', 'where requests may come from, as 10.1.0.0/16,2001:db8::/32 (default: anywhere)').argParser(parser(networks)),
    new Option('--hours <text>', 'when, as "mon-fri 07:00-19:00 America/Chicago" (default: always)').argParser(parser(hours)),
    new Option('--tokens-per-minute <count>', 'tokens of prompts and answers in a minute (default: no limit)').argParser(parser(tokenCount)),
    new Option('--tokens-per-day <count>', 'tokens in a day of UTC (default: no limit)').argParser(parser(tokenCount)),
    new Option('--priority <class>', 'most urgent class that its requests may have').choices(priorityClasses).default('interactive'),
    new Option('--region <region>', "the only region where it is taken, which must be the site's (default: any)").argParser(parser(region)),
    new Option('--shape <shape>', 'how answers leave: paced hides from the network what they are about (default: paced, and plain with --synthetic)').choices(
      answerShapes,
    ),
    new Option(
      '--deid <modes>',
      `what is done with identifiers: ${deidModes.join(', ')}; for one purpose as messaging=block, with commas (default: off)`,
    ).argParser(parser(chosenModes)),
    new Option('--synthetic', 'for synthetic data, which is an evaluation and not for PHI'),
  ];
}

/** Of one purpose, or of all. */
interface ChosenMode {
  readonly purpose: Purpose | undefined;
  readonly mode: DeidMode;
}

const chosenModes: Kind<readonly ChosenMode[]> = {
  schema: z.array(z.custom<ChosenMode>((value) => value !== undefined)).min(1),
  expected: `one of ${deidModes.join(', ')}, or purpose=mode with commas between them`,
  read: (text) =>
    text.split(',').map((part) => {
      const [first, second] = part.trim().split('=', 2);
      const mode = deidModes.find((name) => name === (second ?? first));
      const purpose = purposes.find((name) => name === first);
      return mode === undefined || (second !== undefined && purpose === undefined) ? undefined : { purpose: second === undefined ? undefined : purpose, mode };
    }),
};

/** Of each purpose of the key; what is said of one goes before what is said of all. */
function toModes(chosen: readonly ChosenMode[], of: readonly Purpose[]): Readonly<Partial<Record<Purpose, DeidMode>>> {
  const stranger = chosen.find(({ purpose }) => purpose !== undefined && !of.includes(purpose));
  if (stranger !== undefined) throw new UsageError(`--deid names the purpose ${stranger.purpose}, which is none of --purposes: add it there, or leave it out.`);
  const all = chosen.findLast(({ purpose }) => purpose === undefined)?.mode ?? 'off';
  return Object.fromEntries(of.map((wanted) => [wanted, chosen.findLast(({ purpose }) => purpose === wanted)?.mode ?? all]));
}

async function runCreate(flags: CreateFlags, world: World): Promise<number> {
  const scopes = readScopes(flags);
  const credential = readCredential(flags, world);
  await using site = await openSite(flags, world, 'key.write');
  const now = readTime(site.snapshot);
  const { label, tenant, expires, synthetic } = flags;
  const data = synthetic ? 'synthetic' : 'phi';
  const issued = issueKey({ label, tenant, data, scopes, credential, isSealed: false, expiresAt: expires ?? now + longestDays * dayMs }, site, now);
  const advice = 'Hand it to its holder over a safe way.';
  await deliverKey(issued, flags, advice, () => site.store.addKey(issued.key, site.snapshot.version), world);
  return 0;
}

function readScopes(flags: CreateFlags): Scopes {
  const {
    models = [],
    routes,
    networks = [],
    hours,
    tokensPerMinute,
    tokensPerDay,
    priority,
    region,
    synthetic,
    shape = synthetic ? 'plain' : 'paced',
  } = flags;
  const purposes = flags.purposes ?? (synthetic ? ['evaluation'] : undefined);
  if (purposes === undefined) throw new UsageError('A key needs --purposes: why requests are made with it (inward key create --help lists them).');
  if (!synthetic && purposes.includes('evaluation')) throw new UsageError('The purpose evaluation is for synthetic data: leave it out, or add --synthetic.');
  return {
    ...{ models, routes, purposes, networks, priority, shape },
    ...(hours === undefined ? {} : { hours }),
    ...(tokensPerMinute === undefined ? {} : { tokensPerMinute }),
    ...(tokensPerDay === undefined ? {} : { tokensPerDay }),
    ...(region === undefined ? {} : { region }),
    ...(flags.deid === undefined ? {} : { deid: toModes(flags.deid, purposes) }),
  };
}
