/**
 * Owns the rules about who may import whom (CONTRIBUTING.md). Types may come from anywhere: they vanish when the
 * code runs. `test`, `bench` and `scripts` may import everything.
 */
import { posix } from 'node:path';

export interface Import {
  readonly from: string;
  /** Path of the imported file from the top of the repository, or the name of a package. */
  readonly target: string;
  readonly isType: boolean;
}

const doors = ['runtime/index.ts', 'runtime/text/index.ts', 'runtime/checkpoint/index.ts'];
/** Beside the doors: the command line may set up what is missing, and run the benchmark. */
const commandLine = ['scripts/setup/index.ts', 'bench/index.ts'];
const isCommandLine = (path: string): boolean => path.startsWith('server/cli/') || path === 'server/world.ts';
const rooms = new Set(['runtime', 'kernels', 'models', 'server', 'bench', 'test', 'scripts', 'bin']);

/** All imports and re-exports in the text of a source file, static and dynamic. */
export function readImports(from: string, source: string): Import[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const statement = /(?:^|[;{}\n])\s*(?:import|export)\s+(type\s+)?(?:[\w*\s{},$]*?\sfrom\s*)?(['"])([^'"\n]+)\2|\bimport\(\s*(['"])([^'"\n]+)\4/g;
  return [...code.matchAll(statement)].map(([, type, , named, , dynamic]) => {
    const target = (named ?? dynamic) as string;
    return { from, target: target.startsWith('.') ? posix.join(posix.dirname(from), target) : target, isType: type !== undefined };
  });
}

/** Rooms within rooms: the engine does not know text, and the gate does not know the server, so that others can embed it. */
function leavesRoom(from: string, target: string): boolean {
  const isIn = (path: string, folder: string): boolean => path.startsWith(folder);
  if (isIn(target, 'runtime/text/')) return !isIn(from, 'runtime/text/');
  return isIn(from, 'server/privacy/') && !isIn(target, 'server/privacy/');
}

/** What is wrong with one import, or undefined. */
export function judgeImport({ from, target, isType }: Import): string | undefined {
  const [room, goal] = [roomOf(from), roomOf(target)];
  if (target.startsWith('../')) return `${from} imports ${target}, which is outside of the repository`;
  if (isType || room === undefined || goal === undefined || ['bench', 'test', 'scripts', 'bin'].includes(room)) return undefined;
  const isAllowed =
    room === goal
      ? !leavesRoom(from, target)
      : room === 'server'
        ? doors.includes(target) || (isCommandLine(from) && commandLine.includes(target))
        : room === 'runtime'
          ? goal === 'models' || goal === 'kernels'
          : room === 'models' && goal === 'kernels';
  return isAllowed ? undefined : `${from} must not import ${target}`;
}

/** Paths that lead back to their start; type imports do not count. */
export function findCycles(imports: readonly Import[]): string[] {
  const edges = Map.groupBy(
    imports.filter(({ isType }) => !isType),
    ({ from }) => from,
  );
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push(`cycle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
    else if (!done.has(file)) for (const { target } of edges.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return cycles;
}

function roomOf(path: string): string | undefined {
  const room = path.split('/')[0] ?? '';
  return path.includes('/') && rooms.has(room) ? room : undefined;
}
