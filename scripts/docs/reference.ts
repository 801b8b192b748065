/**
 * Owns docs/reference.md: what the doors of the package export, from the declarations that the compiler writes, and the
 * table of errors. Says which exported names have no doc comment. Refuses to explain anything itself.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { errorTable } from '../../runtime/errors.ts';
import { root } from '../node.mjs';
import { CommandError, runCommand } from '../setup/command.ts';
import { type Declaration, readDeclarations, undocumentedMethods } from './declarations.ts';

export const referencePath = 'docs/reference.md';

export interface Reference {
  readonly text: string;
  /** One sentence each. */
  readonly undocumented: readonly string[];
}

interface Door {
  /** As it is imported, `inward/text`. */
  readonly name: string;
  readonly intro: string;
  readonly declarations: readonly Declaration[];
}

const kinds = ['function', 'class', 'const', 'interface', 'type'];

/** Compiles the declarations anew, in a second or two. */
export async function renderReference(): Promise<Reference> {
  const folder = mkdtempSync(join(tmpdir(), 'inward-docs-'));
  try {
    await emitDeclarations(folder);
    const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name: string; exports: Record<string, string> };
    const doors = Object.entries(exports)
      .filter(([, path]) => path.endsWith('.ts'))
      .map(([door, path]) => readDoor(join(name, door), path, folder));
    return { text: renderPage(doors), undocumented: doors.flatMap(findUndocumented) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function emitDeclarations(folder: string): Promise<void> {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    await runCommand(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', folder], { cwd: root });
  } catch (error) {
    // Declarations are written all the same; what is wrong with the types is another check's business.
    if (!(error instanceof CommandError)) throw error;
  }
}

function readDoor(name: string, path: string, folder: string): Door {
  const [, head = ''] = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(join(root, path), 'utf8')) ?? [];
  const intro = head.replace(/^\s*\* ?/gm, '').trim();
  const read = (file: string) => readDeclarations(readFileSync(join(folder, file.replace(/\.ts$/, '.d.ts')), 'utf8'));
  const own = read(path);
  const passed = own.passedOn.map(({ name, from }) => {
    const found = read(join(dirname(path), from)).declarations.find((declaration) => declaration.name === name);
    if (found === undefined) throw new Error(`${path} passes on ${name}, which ${from} does not declare.`);
    return found;
  });
  const declarations = [...own.declarations, ...passed].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
  return { name, intro, declarations };
}

function findUndocumented({ name, declarations }: Door): string[] {
  return declarations.flatMap((declaration) => [
    ...(declaration.doc === undefined ? [`${name} exports ${declaration.name} without a doc comment.`] : []),
    ...undocumentedMethods(declaration).map((method) => `${name}: ${declaration.name}.${method} has no doc comment.`),
  ]);
}

function renderPage(doors: readonly Door[]): string {
  const contents = doors.map(
    ({ name, declarations }) => `- [\`${name}\`](#${anchor(name)}): ${declarations.map((one) => `[${one.name}](#${anchor(one.name)})`).join(', ')}`,
  );
  const parts = [
    '# API reference',
    'What the doors of the package export. Written by `npm run check -- --fix` from the sources; corrections belong there.',
    [...contents, '- [Errors](#errors)'].join('\n'),
    ...doors.flatMap(renderDoor),
    '## Errors',
    'Every failure is an `InwardError` with one of these codes. Words in braces are its `fields`.',
    renderErrors(),
  ];
  return `${parts.join('\n\n')}\n`;
}

function renderDoor({ name, intro, declarations }: Door): string[] {
  const [text = '', example] = intro.split('@example\n');
  const shown = example === undefined ? [] : [fence(example.trim())];
  const entries = declarations.flatMap(({ name, doc, code }) => [`### ${name}`, ...(doc === undefined ? [] : [doc]), fence(code)]);
  return [`## \`${name}\``, text.trim(), ...shown, ...entries];
}

function renderErrors(): string {
  const rows = Object.entries(errorTable).map(([code, { kind, sentence, remedy }]) => `| \`${code}\` | ${kind} | ${sentence} | ${remedy} |`);
  return ['| code | kind | sentence | what to do |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

const fence = (code: string): string => `\`\`\`ts\n${code}\n\`\`\``;
/** As GitHub makes the anchor of a heading. */
const anchor = (heading: string): string => heading.toLowerCase().replace(/[^\w-]/g, '');
