/**
 * Owns `inward deid`: identifiers out of a text, lines of JSON or a report, without a server, model or GPU. Refuses to keep what it took
 * out: nothing of it can be put back later.
 */
import { Command, Option } from 'commander';
import { z } from 'zod';
import { type Action, actions } from '../privacy/deid/actions/plan.ts';
import { categories } from '../privacy/deid/categories.ts';
import { type DeidentifyOptions, deidentify } from '../privacy/deid/deidentify.ts';
import { createReport } from '../privacy/deid/report.ts';
import type { Category } from '../privacy/deid/types.ts';
import { SiteError } from '../privacy/errors.ts';
import type { World } from '../world.ts';
import { readLines, readText } from './deid/read.ts';
import { createReportPage, formatReport } from './deid/report.ts';
import { formatExamples } from './group.ts';
import { collect, parser } from './options.ts';

interface DeidFlags {
  readonly action?: readonly ChosenAction[];
  readonly lang: 'en' | 'es';
  readonly jsonl?: boolean;
  readonly report?: 'text' | 'html' | true | undefined;
}

/** Of one category, or of all. */
interface ChosenAction {
  readonly category: Category | undefined;
  readonly action: Action;
}

export function createDeidCommand(world: World, onExit: (code: number) => void): Command {
  return new Command('deid')
    .description('Take the identifiers of Safe Harbor out of a text: notes, FHIR, HL7 v2, C-CDA, X12, NCPDP, also one within the other.')
    .argument('<file>', 'UTF-8 text; - reads standard input')
    .addOption(
      new Option('--action <action>', `${actions.join(', ')}; CATEGORY=ACTION for one category; may be given again (default: tag)`).argParser(
        collect(parser(chosenAction)),
      ),
    )
    .addOption(new Option('--lang <language>', 'es reads 03/04/2024 as the third of April').choices(['en', 'es']).default('en'))
    .addOption(new Option('--jsonl', 'lines of {"id","text"} become lines of {"id","spans","text"}; offsets are UTF-16 units of the text that came'))
    .addOption(
      new Option('--report [form]', 'what was found, by category with context, as text or html: for texts that may be shown')
        .choices(['text', 'html'])
        .conflicts('jsonl'),
    )
    .addHelpText(
      'after',
      `
Categories: ${categories.join(' ')}
${formatExamples([
  'inward deid note.txt',
  'inward deid - --action surrogate < note.txt',
  'inward deid note.txt --action DATE=generalize --action GEO=generalize',
  'inward deid notes.jsonl --jsonl > clean.jsonl',
  'inward deid synthetic.txt --report html > report.html',
])}`,
    )
    .action(async (file: string, flags: DeidFlags) => onExit(await runDeid(file, flags, world)));
}

/** `surrogate`, or `DATE=generalize`. */
const chosenAction = {
  schema: z.custom<ChosenAction>((value) => value !== undefined),
  expected: `one of ${actions.join(', ')}, or CATEGORY=ACTION with a category of the list below`,
  read(text: string): ChosenAction | undefined {
    const [first = '', second] = text.split('=', 2);
    const action = actions.find((name) => name === (second ?? first).toLowerCase());
    const category = categories.find((name) => name === first.toUpperCase());
    return action === undefined || (second !== undefined && category === undefined)
      ? undefined
      : { category: second === undefined ? undefined : category, action };
  },
};

async function runDeid(file: string, flags: DeidFlags, world: World): Promise<number> {
  const options: DeidentifyOptions = { actions: toActions(flags.action ?? []), language: flags.lang };
  if (flags.jsonl === true) await writeLines(file, options, world);
  else await writeText(file, options, flags.report, world);
  return 0;
}

/** Those of one category go before those of all, whatever their order. */
function toActions(chosen: readonly ChosenAction[]): Readonly<Partial<Record<Category, Action>>> {
  const all = chosen.findLast(({ category }) => category === undefined)?.action ?? 'tag';
  const of = (wanted: Category): Action => chosen.findLast(({ category }) => category === wanted)?.action ?? all;
  return Object.fromEntries(categories.map((category) => [category, of(category)]));
}

async function writeText(file: string, options: DeidentifyOptions, report: DeidFlags['report'], world: World): Promise<void> {
  const text = await readText(file, world);
  const result = deidentify(text, options);
  using _ = result.mapping;
  if (report === undefined) {
    world.out.write(result.text);
    return;
  }
  const found = createReport(text, result.spans, result.replacements);
  world.out.write(report === 'html' ? createReportPage(found) : formatReport(found));
}

const lineSchema = z.object({ id: z.union([z.string(), z.number()]).optional(), text: z.string() });

async function writeLines(file: string, options: DeidentifyOptions, world: World): Promise<void> {
  let count = 0;
  for await (const line of readLines(file, world)) {
    count += 1;
    if (line.trim() === '') continue;
    const { id, text } = readLine(line, count);
    const { spans, text: clean, mapping } = deidentify(text, options);
    using _ = mapping;
    // A new object: what else a line has may be anything.
    world.out.write(`${JSON.stringify({ ...(id === undefined ? {} : { id }), spans, text: clean })}\n`);
  }
}

function readLine(line: string, count: number): z.infer<typeof lineSchema> {
  let value: unknown;
  try {
    // A byte order mark is no JSON.
    value = JSON.parse(line.replace(/^\ufeff/, ''));
  } catch {
    value = undefined;
  }
  const result = lineSchema.safeParse(value);
  if (!result.success) throw new SiteError(`Expected {"id","text"} with a string as text, found something else in line ${count}: correct the line.`);
  return result.data;
}
