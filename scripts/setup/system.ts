/**
 * Owns what set-up asks the Linux system: its family and release, and where apt fetches its packages.
 * Reads; changes nothing.
 */

export interface Release {
  /** Whether the distribution is Debian or made from it. */
  readonly isDebianFamily: boolean;
  /** Name of the suite that its packages come from, of the Ubuntu beneath for systems made from that. */
  readonly codename: string | undefined;
}

/** Reads the text of /etc/os-release (lines KEY=value, value perhaps quoted). */
export function parseRelease(text: string): Release {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line.trim()) ?? [];
    if (key) fields.set(key, (value ?? '').replace(/^(["'])(.*)\1$/, '$2'));
  }
  const families = [fields.get('ID'), ...(fields.get('ID_LIKE') ?? '').split(' ')];
  const codename = fields.get('UBUNTU_CODENAME') ?? fields.get('DEBIAN_CODENAME') ?? fields.get('VERSION_CODENAME');
  // The name becomes a part of apt's source list: nothing but a word is let through.
  return {
    isDebianFamily: families.some((name) => name === 'debian' || name === 'ubuntu'),
    codename: codename && /^[a-z]+$/.test(codename) ? codename : undefined,
  };
}

export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
}

/** What `apt-get indextargets` is asked to print, one target a line. */
export const aptTargetFormat = '$(REPO_URI) $(RELEASE) $(COMPONENT)';

/** The distribution's own sources among the lines of `apt-get indextargets`, with backports where its own Mesa is too old for Dawn. */
export function chooseAptSources(targets: string, codename: string): AptSource[] {
  const suites = [codename, `${codename}-updates`, `${codename}-security`];
  const sources = new Map<string, AptSource>();
  const add = (uri: string, suite: string, component: string): void => {
    const known = sources.get(`${uri} ${suite}`);
    sources.set(`${uri} ${suite}`, { uri, suite, components: [...new Set([...(known?.components ?? []), component])] });
  };
  for (const line of targets.split('\n')) {
    const [uri = '', suite = '', component = ''] = line.trim().split(/\s+/);
    // Other vendors' repositories use the same suite names; the distribution's mirrors end in its name.
    if (!/\/(debian|ubuntu)[a-z-]*\/?$/.test(uri) || !suites.includes(suite) || !['main', 'universe'].includes(component)) continue;
    add(uri, suite, component);
    if (codename === 'bookworm' && suite === codename) add(uri, 'bookworm-backports', component);
  }
  return [...sources.values()];
}
