/**
 * Owns what a manifest is held against, and the sentences about what differs: expected, found, what to do. Pure.
 * Refuses to rank them: any one keeps a server from starting.
 */
import type { Agreement } from '../agreement.ts';
import type { DeviceIdentity, Manifest, WeightFile } from './manifest.ts';

/** What is found where the server runs. */
export interface DeploymentFacts {
  readonly site: string;
  readonly region: string;
  /** What a manifest may call this host. */
  readonly hosts: readonly string[];
  /** Those of the host, and the software device if that is what computes. */
  readonly devices: readonly DeviceIdentity[];
  readonly software: string;
  /** Of the models that are to be loaded. */
  readonly weights: readonly WeightFile[];
  /** Those in force at this site and host. */
  readonly agreements: readonly Pick<Agreement, 'id' | 'supersedes'>[];
}

/** One sentence a difference; none: the server stands where the manifest says, and is what it says. */
export function compareManifest(manifest: Manifest, facts: DeploymentFacts): string[] {
  return [
    ...comparePlace(manifest, facts),
    ...compareDevices(manifest.devices, facts.devices),
    ...(manifest.software === facts.software
      ? []
      : [
          `The program is another one: expected SHA-256 ${shorten(manifest.software)}, found ${shorten(facts.software)}; install the one that was signed, ${orAnew}.`,
        ]),
    ...compareWeights(manifest.weights, facts.weights),
    ...compareAgreement(manifest.agreement, facts.agreements),
  ];
}

const orAnew = 'or make and sign a new manifest (inward manifest new)';

function comparePlace(manifest: Manifest, { site, region, hosts }: DeploymentFacts): string[] {
  return [
    ...(manifest.site === site ? [] : [`The site is another one: expected ${manifest.site}, found ${site}; use the store of that site, ${orAnew}.`]),
    ...(manifest.region === region ? [] : [`The region is another one: expected ${manifest.region}, found ${region}; start the server there, ${orAnew}.`]),
    ...(hosts.includes(manifest.host)
      ? []
      : [
          `The host is another one: expected ${shorten(manifest.host)}, found ${hosts.map(shorten).join(' or ')}; start on that host, as a user who may read what was read then, ${orAnew}.`,
        ]),
  ];
}

function compareDevices(expected: readonly DeviceIdentity[], found: readonly DeviceIdentity[]): string[] {
  const differences = expected.flatMap((device) => {
    const other = found.find(({ address }) => address === device.address);
    if (other === undefined) return [`A device is missing: expected ${describeDevice(device)}, found none there; ${remedy(device, 'put it back')}, ${orAnew}.`];
    if (describeDevice(other) === describeDevice(device)) return [];
    const hint = device.serial !== undefined && other.serial === undefined ? 'load its driver' : remedy(device, 'put the first one back');
    return [`A device is another one: expected ${describeDevice(device)}, found ${describeDevice(other)}; ${hint}, ${orAnew}.`];
  });
  const extra = found.filter(({ address }) => !expected.some((device) => device.address === address));
  return [
    ...differences,
    ...extra.map((device) => `A device is not in the manifest: expected none, found ${describeDevice(device)}; ${remedy(device, 'take it out')}, ${orAnew}.`),
  ];
}

/** A software device is there when it is chosen. */
function remedy({ address }: DeviceIdentity, hardware: string): string {
  return address === 'software' ? 'choose the device of the manifest (--device)' : hardware;
}

function describeDevice({ address, vendor, model, serial }: DeviceIdentity): string {
  return `${address} (${vendor}:${model}${serial === undefined ? '' : `, ${serial}`})`;
}

/** Other models of the manifest need not be loaded; of a model that is, all files must be there and the same. */
function compareWeights(expected: readonly WeightFile[], found: readonly WeightFile[]): string[] {
  const loaded = new Set(found.map(nameModel));
  const differences = found.flatMap(({ name, sha256 }) => {
    const file = expected.find((entry) => entry.name === name);
    if (file === undefined)
      return [`A file of weights is not in the manifest: expected none named ${name}, found it with SHA-256 ${shorten(sha256)}; remove it, ${orAnew}.`];
    if (file.sha256 === sha256) return [];
    return [
      `A file of weights is another one: expected ${name} with SHA-256 ${shorten(file.sha256)}, found ${shorten(sha256)}; put the first one back, ${orAnew}.`,
    ];
  });
  const missing = expected.filter((file) => loaded.has(nameModel(file)) && !found.some(({ name }) => name === file.name));
  return [...differences, ...missing.map(({ name }) => `A file of weights is missing: expected ${name}, found none; put it back, ${orAnew}.`)];
}

/** The folder, or the file that is a whole model. */
function nameModel({ name }: WeightFile): string {
  return name.split('/')[0] ?? name;
}

/** A renewed agreement takes the place of the one that was named. */
function compareAgreement(expected: string, found: DeploymentFacts['agreements']): string[] {
  if (found.some(({ id, supersedes }) => id === expected || supersedes === expected)) return [];
  const names = found.map(({ id }) => id).join(', ') || 'none in force';
  return [`The agreement is not in force: expected ${expected} for this site, found ${names}; add it (inward agreement add), ${orAnew}.`];
}

/** Enough of a hash to tell it from others by eye. */
export function shorten(hash: string): string {
  return hash.slice(0, 12);
}
