/**
 * Owns leaks that are planted in a copy of the program, each a change of a line or two as somebody might make it, and the claim that each
 * must make fail. `inward prove` knows nothing of them.
 */
import { type Change, createVariant, type Variant } from '../../scripts/variant.ts';
import type { Claim, Place } from '../../server/prove/claims.ts';

export interface Plant extends Change {
  /** What fails by it, and where the report must point; nothing where it only takes away what would stop another plant. */
  readonly caught: Readonly<Partial<Record<Claim, Pick<Place, 'process'> & { readonly where: RegExp }>>>;
}

const [bodyFile, bodyPlace] = ['server/body.ts', '      body.fill(0);'];
/** Before the body is zeroed; several stand one behind the other. */
const withBody = (lines: string): Pick<Change, 'file' | 'find' | 'replace'> => ({ file: bodyFile, find: bodyPlace, replace: `${lines}\n${bodyPlace}` });

/** Two programs, so that what fails in one is told apart. */
export const plants: Readonly<Record<'first' | 'second', readonly Plant[]>> = {
  first: [
    {
      name: 'a line for debugging',
      ...withBody("process.stderr.write('debug: ' + body.toString() + '\\n');"),
      caught: { streams: { process: 'none', where: /^standard error$/ } },
    },
    {
      name: 'a temporary file, in base64',
      ...withBody("writeFileSync(process.env['TMPDIR'] + '/last', body.toString('base64'));"),
      caught: { files: { process: 'server', where: /^TMPDIR\/last$/ }, traces: { process: 'none', where: /^tmp\/last$/ } },
    },
    {
      name: 'a report to somebody else',
      file: 'server/main.ts',
      find: '  const url = await listen(app, settings);',
      replace: "  connect(9, '127.0.0.1').on('error', () => undefined);\n  const url = await listen(app, settings);",
      caught: { network: { process: 'server', where: /^AF_INET 127\.0\.0\.1 port 9$/ } },
    },
    {
      name: 'answers that may be stored',
      file: 'server/app.ts',
      find: "    'cache-control': 'no-store',\n    'x-request-id'",
      replace: "    'cache-control': 'private',\n    'x-request-id'",
      caught: { cache: { process: 'server', where: /^\/v1\/chat\/completions: as it should be: 200$/ } },
    },
    {
      name: 'scratch that is not zeroed',
      file: 'runtime/scrub.ts',
      find: '  encode(encoder: GPUCommandEncoder): void {\n',
      replace: '  encode(encoder: GPUCommandEncoder): void {\n    if (encoder !== undefined) return;\n',
      caught: { device: { process: 'engine', where: /^memory of the device$/ } },
    },
    {
      name: 'core files of the server alone',
      file: 'scripts/node.mjs',
      find: 'export function forbidCores() {\n',
      replace: "export function forbidCores() {\n  return void spawnSync('/usr/bin/prlimit', ['--core=unlimited', '--pid', String(process.pid)]);\n",
      caught: { core: { process: 'server', where: /^core limit unlimited$/ } },
    },
  ],
  second: [
    {
      name: 'an error with the value',
      file: 'server/openai/validate.ts',
      find: 'rule: describeRule(found) }',
      replace: "rule: describeRule(found) + ', found ' + JSON.stringify(value) }",
      caught: { refusals: { process: 'server', where: /^\/v1\/chat\/completions: an unknown role: 400$/ } },
    },
    {
      name: 'a label with what was asked',
      file: 'server/metrics.ts',
      find: '{ model_name: info.modelName }',
      replace: '{ model_name: info.modelName, prompt: String(globalThis.last) }',
      caught: { metrics: { process: 'none', where: /^\/metrics$/ } },
    },
    {
      name: 'a buffer that is kept',
      ...withBody(
        'globalThis.last = body.toString();\n(globalThis.kept ??= []).push(...Array.from({ length: 200 }, () => Buffer.from(body.subarray(0, 2000))));',
      ),
      caught: { memory: { process: 'server', where: /^memory \(/ } },
    },
    {
      name: 'ids that are kept',
      file: 'runtime/host/process.ts',
      find: '    body.promptIds.fill(0);',
      replace: '    (globalThis.kept ??= []).push(body.promptIds);',
      caught: { memory: { process: 'engine', where: /^memory \(/ } },
    },
    {
      name: 'a block of the KV cache that is not zeroed',
      file: 'runtime/scheduling/scheduler.ts',
      find: 'for (const block of cleaned) batch.addClear(block);',
      replace: 'for (const block of cleaned) if (block !== 1) batch.addClear(block);',
      caught: { device: { process: 'engine', where: /^memory of the device$/ } },
    },
    {
      name: 'a socket in the text process',
      file: 'runtime/text/process.ts',
      find: "process.on('disconnect', () => process.exit(0));",
      replace: "process.on('disconnect', () => process.exit(0));\nimport('node:net').then(({ createServer }) => createServer().listen(0, '127.0.0.1'));",
      caught: { isolation: { process: 'text', where: /^a socket of AF_INET$/ } },
    },
    {
      name: 'core files',
      file: 'runtime/launch.ts',
      find: 'ulimit -c 0 || exit 1; { echo 0 >/proc/self/coredump_filter; } 2>/dev/null;',
      replace: 'ulimit -S -c $(ulimit -H -c);',
      caught: { core: { process: 'engine', where: /^core limit \w+$/ } },
    },
    {
      name: 'core files that the server leaves to its processes',
      file: 'scripts/node.mjs',
      find: 'export function forbidCores() {\n',
      replace: 'export function forbidCores() {\n  return;\n',
      caught: {},
    },
    {
      name: 'no kernel around the processes',
      file: 'runtime/launch.ts',
      find: 'existsSync(path) && canLock(path)',
      replace: "existsSync(path + '/none')",
      caught: {},
    },
    {
      name: 'a snapshot of the heap before it is full',
      file: 'runtime/launch.ts',
      find: "const permissions = ['--permission',",
      replace: "const permissions = ['--heapsnapshot-near-heap-limit=1', '--permission',",
      caught: { flags: { process: 'text', where: /^--heapsnapshot-near-heap-limit$/ } },
    },
  ],
};

/** What the lines above need to be imported. */
const imports: Readonly<Record<string, string>> = {
  'server/body.ts': "import { writeFileSync } from 'node:fs';\n",
  'server/main.ts': "import { connect } from 'node:net';\n",
};

/** A copy of the program with these leaks. Throws where a line is not there any more. */
export function plant(leaks: readonly Plant[]): Variant {
  return createVariant(leaks, imports);
}
