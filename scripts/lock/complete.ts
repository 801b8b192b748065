/**
 * Owns how a lock file is completed: which optional packages are named but not locked, and for which platform each
 * is, by its name. Pure: text and files are run.ts's.
 */

export interface LockEntry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}
export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

/** The lock with an entry for every optional package of an exact version that has none. */
export function completeLock<L extends Lock>(lock: L): { lock: L; added: string[] } {
  const packages: Record<string, LockEntry> = { ...lock.packages };
  const added: string[] = [];
  for (const [path, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (isLocked(packages, path, name) || !/^\d+\.\d+\.\d+[\w.-]*$/.test(version)) continue;
      packages[`node_modules/${name}`] = { version, ...readPlatform(name), ...(dev && { dev }), optional: true };
      added.push(`${name}@${version}`);
    }
  }
  const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  return { lock: { ...lock, packages: sorted }, added };
}

/** Whether Node, standing in the package at `path`, finds `name`: in its own node_modules or one further up. */
function isLocked(packages: Readonly<Record<string, LockEntry>>, path: string, name: string): boolean {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true;
    if (folder === '') return false;
  }
}

/** npm fetches an optional package only where `os`, `cpu` and `libc` fit; packages of builds carry them in their name. */
function readPlatform(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> {
  const words = name.split(/[-/]/);
  const pick = (list: readonly string[]): string | undefined => list.find((word) => words.includes(word));
  const os = pick(['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']);
  const cpu = pick(['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'wasm32']);
  const libc = pick(['musl', 'musleabihf']) ? 'musl' : pick(['gnu', 'gnueabihf']) ? 'glibc' : undefined;
  return { ...(cpu && { cpu: [cpu] }), ...(libc && { libc: [libc] }), ...(os && { os: [os] }) };
}
