/**
 * Owns what is compared: the server without zeroing, scrub and shaping, with each of them alone, and as it is. What is left out is left out
 * by copies of the program (scripts/variant.ts), because no setting of the program itself could.
 */
import { type Change, createVariant } from '../../scripts/variant.ts';
import { type RunningServer, type ServerOptions, startServer } from '../serve/server.ts';

export const armNames = ['none', 'zeroing', 'scrub', 'shaping', 'all'] as const;
export type ArmName = (typeof armNames)[number];

/** Of blocks and scratch on the device. */
export const withoutZeroing: readonly Change[] = [
  {
    name: 'scratch',
    file: 'runtime/scrub.ts',
    find: '  encode(encoder: GPUCommandEncoder): void {\n',
    replace: '  encode(encoder: GPUCommandEncoder): void {\n    if (encoder !== undefined) return;\n',
  },
  { name: 'blocks', file: 'runtime/scheduling/scheduler.ts', find: 'for (const block of cleaned) batch.addClear(block);', replace: '' },
];
/** And the flag of V8 that goes with it. */
export const withoutScrub: readonly Change[] = [{ name: 'scrub', file: 'server/main.ts', find: ', scrubber: new Scrubber()', replace: '' }];

export interface Arm {
  readonly name: ArmName;
  readonly url: string;
  readonly key: string;
  readonly pid: number;
}

export interface Arms extends AsyncDisposable {
  readonly arms: readonly Arm[];
  /** As it is. */
  readonly whole: RunningServer;
}

const reach = (server: RunningServer, key: 'key' | 'pacedKey'): Omit<Arm, 'name'> => ({ url: server.url, pid: server.pid, key: server[key] });

/** Four servers side by side, of which one at a time works. Throws UsageError. */
export async function openArms(options: ServerOptions): Promise<Arms> {
  await using stack = new AsyncDisposableStack();
  const start = async (changes: readonly Change[]): Promise<RunningServer> => {
    const program = changes.length === 0 ? {} : { program: stack.use(createVariant(changes)).folder };
    return stack.use(await startServer({ ...options, ...program }));
  };
  const bare = await start([...withoutZeroing, ...withoutScrub]);
  const zeroing = await start(withoutScrub);
  const scrub = await start(withoutZeroing);
  const whole = await start([]);
  const arms: Arm[] = [
    { name: 'none', ...reach(bare, 'key') },
    { name: 'zeroing', ...reach(zeroing, 'key') },
    { name: 'scrub', ...reach(scrub, 'key') },
    { name: 'shaping', ...reach(bare, 'pacedKey') },
    { name: 'all', ...reach(whole, 'pacedKey') },
  ];
  const owned = stack.move();
  return { arms, whole, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
