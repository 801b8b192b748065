/**
 * Owns sites for tests of administration: a fresh folder, its first people, and commands that run in it as one of them.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../server/cli/index.ts';
import { openStore } from '../../server/privacy/store/sqlite.ts';
import type { Snapshot, Store } from '../../server/privacy/store.ts';
import { FakeWorld } from './fake-world.ts';

export interface Ran {
  readonly code: number;
  readonly printed: string;
  readonly complained: string;
}

export class TestSite implements Disposable {
  /** Where commands run; it goes with all that is in it. */
  readonly home: string;
  readonly folder: string;
  readonly path: string;

  constructor() {
    this.home = mkdtempSync(join(tmpdir(), 'inward-site-'));
    this.folder = join(this.home, 'site');
    this.path = join(this.folder, 'inward.sqlite');
  }

  /** One that `anna` (admin) and `carl` (compliance) have set up. */
  static async create(): Promise<TestSite> {
    const site = new TestSite();
    const { code, complained } = await site.run(
      'nobody',
      'site',
      'init',
      '--name',
      'st-marys',
      '--region',
      'us-east',
      '--admin',
      'anna',
      '--compliance',
      'carl',
    );
    if (code !== 0) throw new Error(complained);
    return site;
  }

  /** The same in another place. */
  copy(): TestSite {
    const site = new TestSite();
    // No log is one of two sites.
    cpSync(this.home, site.home, { recursive: true, filter: (path) => !path.endsWith('/audit') });
    // Of folders the mode is not copied.
    chmodSync(site.folder, 0o700);
    return site;
  }

  identity(id: string): string {
    return join(this.folder, `${id}.identity`);
  }

  /** Runs a command as a person whose identity file is in the folder. */
  async run(id: string, ...args: string[]): Promise<Ran> {
    const world = new FakeWorld();
    world.folder = this.home;
    world.environment = { INWARD_SITE: this.folder, INWARD_IDENTITY: this.identity(id) };
    const code = await runCommand(args, world);
    return { code, printed: world.printed, complained: world.complained };
  }

  /** Runs a command that must succeed, and gives what it printed. */
  async do(id: string, ...args: string[]): Promise<string> {
    const { code, printed, complained } = await this.run(id, ...args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${code} ${complained}`);
    return printed;
  }

  /** The same, of JSON. */
  async json<T>(id: string, ...args: string[]): Promise<T> {
    return JSON.parse(await this.do(id, ...args, '--json')) as T;
  }

  async load(): Promise<Snapshot> {
    await using store = await openStore(this.path);
    return store.load();
  }

  async change(work: (store: Store) => Promise<unknown>): Promise<void> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    await using store = await openStore(this.path, { create: true });
    await work(store);
  }

  /** All bytes of the store and what SQLite keeps beside it. */
  bytes(): Buffer {
    return Buffer.concat(['', '-wal', '-shm'].map((end) => this.path + end).map((path) => (existsSync(path) ? readFileSync(path) : Buffer.alloc(0))));
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** The secret in what a command printed. */
export function findSecret(text: string): string {
  const [secret] = /inw_[a-z]+_[0-9a-z]{68}/.exec(text) ?? [];
  if (secret === undefined) throw new Error('no secret');
  return secret;
}
