/**
 * The papers for a security officer stay true: what they name exists, what they call not built does not, what they say of the
 * sources holds. A name of the program stands between backticks there; files stand anywhere.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { heldReasons, lackingReasons } from '../../runtime/layers/types.ts';
import { readImports } from '../../scripts/check/imports.ts';
import { root } from '../../scripts/node.mjs';
import { createProgram } from '../../server/cli/index.ts';
import { environmentName, flagName, type Setting, settingTable } from '../../server/config/table.ts';
import { eventTable } from '../../server/privacy/audit/events.ts';
import { routePatterns } from '../../server/privacy/words.ts';
import { FakeWorld } from './fake-world.ts';

const papers = ['docs/threat-model.md', 'docs/data-flow.md', 'docs/hipaa-crosswalk.md', 'docs/hardening.md'];
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const list = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name).replaceAll('\\', '/'));

const prose = (text: string): string => text.replaceAll(/^```.*?^```/gms, '');
const spansOf = (text: string): string[] => [...prose(text).matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);

const rooms = ['server', 'runtime', 'kernels', 'models'];
const sources = rooms.flatMap(list).filter((path) => /\.m?ts$|\.mjs$/.test(path));
const words = new Set(sources.flatMap((path) => read(path).match(/\w+/g) ?? []));
const program = createProgram(new FakeWorld(), () => undefined);
type Command = typeof program;
const settings = Object.entries<Setting>(settingTable);
const settingFlags = new Set(settings.map(([name, row]) => `--${flagName(name, row)}`));
const variables = new Set([...settings.map(([name]) => environmentName(name)), 'INWARD_CACHE', 'INWARD_CONFIG', 'INWARD_IDENTITY']);
/** Fields, codes, headers, metrics and records, which docs/api.md and docs/audit.md explain. */
const explained = new Set(['docs/api.md', 'docs/audit.md'].flatMap((path) => spansOf(read(path)).flatMap((span) => span.match(/[\w:-]+/g) ?? [])));
/** Of Node, Docker and the system. */
const foreign = new Set(
  '--disable-sigusr1 --inspect --clear-free-memory --cap-drop --security-opt --ulimit --memory-swap --memory core_pattern node_modules fdatasync init_on_free'.split(
    ' ',
  ),
);

const isThere = (path: string): boolean => existsSync(join(root, path));
const filesOf = (text: string): string[] =>
  text.match(/(?<![\w./-])(?:server|runtime|kernels|models|test|docs|scripts|bin|bench|examples)\/[\w./-]*\w\/?/g) ?? [];

function hasOption(command: Command, flag: string): boolean {
  return command.options.some(({ long }) => long === flag) || command.commands.some((below) => hasOption(below, flag));
}

/** A command line up to its first word that is neither a command nor an option. */
function hasCommand(line: string): boolean {
  const names = line.split(/\s+/).slice(1);
  let command: Command = program;
  for (const name of names) {
    const below = command.commands.find((other) => other.name() === name);
    if (below === undefined) break;
    command = below;
  }
  const flags = names.filter((name) => name.startsWith('--'));
  return command !== program && command.commands.length === 0 && flags.every((flag) => hasOption(command, flag));
}

/** Whether a span names something of the program that is there; undefined: it names nothing of the program. */
function judge(span: string): boolean | undefined {
  const [, file = '', title] = /^(test\/\S+): (.+)$/.exec(span) ?? [];
  if (title !== undefined) return isThere(file) && read(file).includes(title);
  if (span.startsWith('inward ')) return hasCommand(span);
  const [word = ''] = span.split(/[\s=]/);
  if (foreign.has(word)) return undefined;
  if (word.startsWith('--')) return settingFlags.has(word) || hasOption(program, word);
  if (/^INWARD_[A-Z_]+$/.test(word)) return variables.has(word);
  const [, route] = /^(?:GET|POST) (\/\S+)$/.exec(span) ?? [];
  if (route !== undefined) return routePatterns.some((pattern) => pattern === route);
  if (/^(?:x-inward-[a-z-]+|inward_\w+|vllm:\w+|[a-z]+(?:_[a-z]+)+)$/.test(span)) return Object.hasOwn(eventTable, span) || explained.has(span);
  if (/^[a-z]+[A-Z]\w*$/.test(span)) return words.has(span);
  return undefined;
}

/** What a paper names that is not there, and what it calls not built that is. */
function findFalse(text: string): string[] {
  const planned = new Set([...prose(text).matchAll(/`([^`]+)`\)?:? (?:is )?not built/g)].map(([, span = '']) => span));
  const commands = [...text.matchAll(/^inward .*/gm)].map(([line]) => line);
  return [
    ...filesOf(text).filter((path) => !isThere(path)),
    ...[...spansOf(text), ...commands].filter((span) => !planned.has(span) && judge(span) === false),
    ...[...planned].filter((span) => judge(span) === true).map((span) => `${span} is built`),
  ];
}

const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

function findBrokenLinks(path: string, text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => {
      if (/^https:\/\//.test(link)) return false;
      const [file = '', anchor] = link.split('#');
      const target = join(dirname(path), file);
      if (file !== '' && !isThere(target)) return true;
      if (anchor === undefined) return false;
      const headings = [...prose(file === '' ? text : read(target)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slug(heading));
      return !headings.includes(anchor);
    });
}

test.each(papers)('%s: what it names is there, and what it calls not built is not', (path) => {
  const text = read(path);
  expect(findFalse(text)).toEqual([]);
  expect([...spansOf(text), ...filesOf(text)].filter((span) => judge(span) === true || isThere(span)).length).toBeGreaterThan(20);
});

test('what is not there is found: a file, a title, a command, its option, a flag, a variable, a route, a metric, a header, an event, a name; and what was built since', () => {
  const spans = ['test/server/docs.test.ts: no such title', 'inward fly', 'inward audit fly', 'inward audit show --fly', '--fly', 'INWARD_FLY'];
  const more = ['GET /fly', 'inward_fly_total', 'x-inward-fly', 'audit_flown', 'flyAway'];
  const wrong = [...spans, ...more];
  expect(findFalse(`server/none.ts has ${wrong.map((span) => `\`${span}\``).join(' and ')}.`)).toEqual(['server/none.ts', ...wrong]);
  expect(findFalse('`inward audit show --fly` is not built, `GET /fly` not built.')).toEqual([]);
  expect(findFalse('`inward audit show`: not built; (`--port`) is not built.')).toEqual(['inward audit show is built', '--port is built']);
  expect(findBrokenLinks('docs/a.md', '# Here\n[a](audit.md) [b](audit.md#witness) [c](#here) [d](none.md) [e](audit.md#none) [f](#none)')).toEqual([
    'none.md',
    'audit.md#none',
    '#none',
  ]);
});

test.each(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'bench/README.md', ...list('docs').filter((path) => path.endsWith('.md'))])(
  '%s: every link leads somewhere',
  (path) => expect(findBrokenLinks(path, read(path))).toEqual([]),
);

/** Cells of the tables below a heading, without heads. */
function readRows(text: string, heading: string): string[][] {
  const [, section = ''] = text.split(`\n## ${heading}\n`);
  const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  return lines
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
    .filter(([first]) => first !== 'path' && first !== '---');
}

test('each leak path has a file or a test for what is closed, and somebody for what is not', () => {
  const rows = readRows(read('docs/threat-model.md'), 'Leak paths');
  expect(rows.length).toBeGreaterThan(40);
  const flawed = rows.filter(([, closed = '', shown = '', remains = '', duty = '']) => {
    const isClaim = closed !== '' && closed !== 'not ours';
    if (isClaim && filesOf(`${closed} ${shown}`).length === 0 && shown !== 'as above') return true;
    return (!isClaim && duty === '') || (/not built/.test(remains) && !/software/.test(duty));
  });
  expect(flawed.map(([path]) => path)).toEqual([]);
});

test('nothing but a witness is connected to, and by an import the hub', () => {
  // What can be a client: of http and https everything but types, of net and tls what connects, and the rest whole.
  const client =
    /^import (?!type)[^;]*from 'node:(?:https?|http2|dgram|dns)(?:\/promises)?'|\bfetch\(|\bconnect\(|createConnection|new (?:WebSocket|EventSource|Socket)\(/m;
  const found = sources.filter((path) => client.test(read(path).replaceAll(/^\s*(?:\/\/|\*|\/\*\*).*$/gm, '')));
  const clients = [
    'server/privacy/audit/witness/http.ts',
    // `inward model add hf:ORG/NAME`.
    'server/cli/model/client.ts',
    // The server of `inward audit witness`.
    'server/privacy/audit/witness/desk.ts',
    // The pipe to a process of ours.
    'runtime/link/link.ts',
    // Tries whether the kernel lets it.
    'runtime/layers/process.ts',
    // Sends zeros to itself.
    'server/scrub.ts',
    // Ask the server that a proof has started.
    'server/prove/traffic.ts',
  ];
  expect(found.sort()).toEqual(clients.sort());
  expect(read('server/privacy/audit/witness/desk.ts')).not.toMatch(/\brequest\(|\.get\(/);
});

test('no command but the import from a hub loads what connects to it', () => {
  const loaded = new Set<string>();
  const load = (path: string): void => {
    if (loaded.has(path) || !path.endsWith('.ts')) return;
    loaded.add(path);
    // Only what is imported at the head of a file; what is imported where it is needed is not loaded before.
    const heads = read(path).replaceAll(/\bimport\(/g, '');
    for (const { target, isType } of readImports(path, heads)) if (!isType && isThere(target)) load(target);
  };
  for (const path of ['server/cli/index.ts', 'server/main.ts']) load(path);
  expect(loaded.has('server/cli/model/add.ts')).toBe(true);
  expect([...loaded].filter((path) => /model\/(?:hub|client|tries)\.ts$/.test(path))).toEqual([]);
});

test('Dawn is told to leave out no check', () => {
  const texts = sources.map(read).join('\n');
  const toggles = [...texts.matchAll(/dawn-features=([\w,]+)/g)].flatMap(([, names = '']) => names.split(','));
  const harmless = ['allow_unsafe_apis', 'use_vulkan_memory_model', 'vulkan_enable_f16_on_nvidia'];
  expect(new Set(toggles)).toEqual(new Set(harmless));
  expect(texts).not.toMatch(/disable-dawn-features|skip_validation|disable_robustness|disable_workgroup_init|lazy_clear_resource/);
});

test('every reason of a layer is in the guide', () => {
  const [, section = ''] = /\n## Layers\n(.*?)\n## /s.exec(read('docs/hardening.md')) ?? [];
  const told = [...section.matchAll(/^\| ([a-z, -]+) \|/gm)].flatMap(([, names = '']) => names.split(', '));
  expect(told.filter((name) => name !== 'reason' && name !== '---').sort()).toEqual([...heldReasons, ...lackingReasons].sort());
});

test('the picture is small, whole by itself, and told in words too', () => {
  const picture = read('docs/img/data-flow.svg');
  expect(picture.length).toBeLessThan(10_000);
  expect(picture).toMatch(/<title>[^<]{20,}<\/title>/);
  expect(picture.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|@import|<image|<script|href/);
  expect(read('docs/data-flow.md')).toMatch(/!\[[^\]]{40,}\]\(img\/data-flow\.svg\)/);
});
