/**
 * Owns how `inward prove --attach` gets at a running server: its address, a key that the operator hands over, and where it keeps its site.
 */
import { resolve } from 'node:path';
import { readSecretFile } from '../../privacy/files.ts';
import { findSiteFolder } from '../../privacy/folder.ts';
import type { AttachOptions } from '../../prove/attach.ts';
import { Attached } from '../../prove/attached.ts';
import type { World } from '../../world.ts';
import { UsageError } from '../options.ts';
import { siteVariable } from '../site.ts';

export interface AccessFlags {
  readonly url?: string;
  readonly keyFile?: string;
  readonly identity?: string;
  readonly purpose?: string;
  readonly site?: string;
}

export type Access = Pick<AttachOptions, 'server' | 'url' | 'key' | 'auditor' | 'purpose' | 'site'>;

/** Largest file with a key or an identity, in bytes. */
const secretLimit = 256;

/** Throws UsageError and SiteError: about what is named before about the process. */
export function readAccess(pid: number, { url, keyFile, identity, purpose, site }: AccessFlags, { folder }: World): Access {
  if (url === undefined || keyFile === undefined)
    throw new UsageError('With --attach, name the address of the server and a key: --url <url> --key-file <file>');
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) throw new UsageError('--url must be an address as http://127.0.0.1:8080');
  const read = (path: string): string => readSecretFile(resolve(folder, path), secretLimit).toString('latin1').trim();
  const [key, auditor] = [read(keyFile), identity === undefined ? undefined : read(identity)];
  const server = new Attached(pid);
  const { environment } = server;
  const known = site === undefined ? findSiteFolder(environment[siteVariable] || undefined, environment) : resolve(folder, site);
  return { server, url: new URL(url).origin, key, auditor, purpose, site: known };
}
