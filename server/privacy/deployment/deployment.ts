/**
 * Owns the check of a start: the site's manifest, verified again, held against what is found here, who else is on the GPU, and
 * whether memory may be swapped.
 * Refuses a site without a manifest that enough trusted keys have signed; differences are told, all of them, and judged by whoever starts.
 */
import { join } from 'node:path';
import { type DeviceName, examineSwap } from '../../../runtime/index.ts';
import type { Agreement } from '../agreement.ts';
import { type Envelope, hashRecord, verifyEnvelope } from '../envelope.ts';
import { SiteError } from '../errors.ts';
import type { Policy, Snapshot } from '../store.ts';
import { listTerms, stateOf } from '../term.ts';
import { compareManifest, type DeploymentFacts } from './compare.ts';
import { readHost } from './host.ts';
import { type DeviceIdentity, type Manifest, readManifest, type WeightFile } from './manifest.ts';
import { countNeighbours, judgeNeighbours, type Neighbours, type SharedGpuPolicy } from './neighbours.ts';
import { hashSoftware } from './software.ts';
import { judgeSwap, type SwapPolicy } from './swap.ts';
import { hashWeights } from './weights.ts';

/** Folder of package.json, in a clone as in the built package. */
const programFolder = join(import.meta.dirname, '../../..');

export interface FactSources {
  /** What computes; the software devices are not among those of the host. */
  readonly deviceName: DeviceName;
  readonly modelPaths: readonly string[];
  /** Top of the file system that describes the host. */
  readonly root?: string | undefined;
  /** Folder of the program. */
  readonly program?: string | undefined;
  /** Bytes of weights that are hashed. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export type FoundFacts = Pick<DeploymentFacts, 'hosts' | 'devices' | 'software' | 'weights'>;

/** Reads every byte of the weights. Throws SiteError. */
export async function gatherFacts({ deviceName, modelPaths, root, program = programFolder, onProgress }: FactSources): Promise<FoundFacts> {
  const { hosts, devices } = readHost(root);
  const software: readonly DeviceIdentity[] = deviceName === 'gpu' ? [] : [{ address: 'software', vendor: '0000', model: deviceName }];
  return {
    hosts,
    devices: [...devices, ...software],
    software: hashSoftware(program),
    weights: await hashWeights(modelPaths, onProgress),
  };
}

export interface DeploymentRequest extends Omit<FactSources, 'modelPaths'> {
  readonly snapshot: Snapshot;
  readonly modelPath: string;
  readonly sharedGpu: SharedGpuPolicy;
  readonly swap: SwapPolicy;
  /** Ms of the epoch. */
  readonly now?: number | undefined;
}

export interface Deployment {
  readonly manifest: Manifest;
  /** Of the record: names the manifest in answers. */
  readonly hash: string;
  /** As they were found. */
  readonly weights: readonly WeightFile[];
  /** A sentence for each; none: the server may start. */
  readonly differences: readonly string[];
  /** For the record, also where they refuse nothing. */
  readonly neighbours: Neighbours;
}

/** Throws SiteError where there is nothing to compare, or facts cannot be read. */
export async function checkDeployment(request: DeploymentRequest): Promise<Deployment> {
  const { snapshot, modelPath, root, deviceName, sharedGpu, swap, now = Date.now() } = request;
  const policy = needPolicy(snapshot);
  if (snapshot.manifest === undefined) {
    throw new SiteError('There is no deployment manifest: expected a signed one of this site, found none; make one (inward manifest new --key FILE --add).');
  }
  const { envelope } = snapshot.manifest;
  verifyManifest(envelope, snapshot, 'The manifest in the store');
  const manifest = readManifest(envelope);
  const found = await gatherFacts({ ...request, modelPaths: [modelPath] });
  const agreements = findAgreements(snapshot, [manifest.host], now);
  const neighbours = countNeighbours(deviceName === 'gpu' ? findGpus(found.devices) : [], root);
  const refusals = [judgeNeighbours(neighbours, sharedGpu), judgeSwap(examineSwap(root), swap)].filter((line) => line !== undefined);
  const differences = compareManifest(manifest, { ...found, site: policy.site, region: policy.region, agreements });
  return { manifest, hash: hashRecord(envelope), weights: found.weights, differences: [...differences, ...refusals], neighbours };
}

/** What of a gate decides about a start. */
interface GateState {
  readonly agreement: { readonly agreement: Pick<Agreement, 'kind'> } | undefined;
  readonly view: { readonly snapshot: Snapshot } | undefined;
}

/**
 * The same for a start that goes on only where nothing differs. Undefined: the agreement in force is synthetic, so there is no PHI
 * and no manifest. Throws SiteError, with a line for each difference.
 */
export async function demandDeployment(
  { agreement, view }: GateState,
  request: Omit<DeploymentRequest, 'snapshot' | 'deviceName'> & { readonly deviceName: DeviceName | 'auto' },
): Promise<Deployment | undefined> {
  if (agreement?.agreement.kind === 'synthetic') return undefined;
  const { deviceName } = request;
  if (view === undefined)
    throw new SiteError('The store of the site cannot be read: expected the deployment manifest in it, found nothing that can be trusted.');
  if (deviceName === 'auto')
    throw new SiteError('For PHI the device must be the one of the manifest: expected gpu, lavapipe or swiftshader, found auto; name it.');
  const deployment = await checkDeployment({ ...request, deviceName, snapshot: view.snapshot });
  if (deployment.differences.length > 0) throw new SiteError(deployment.differences.join('\n'));
  return deployment;
}

/** Throws SiteError. */
export function needPolicy({ policy }: Pick<Snapshot, 'policy'>): Policy {
  if (policy === undefined) throw new SiteError('This site has no code and no region yet: set it up first (inward site init).');
  return policy;
}

/** Throws SiteError unless so many trusted keys have signed as the site demands, and no other key. */
export function verifyManifest(envelope: Envelope, { trustedKeys, policy }: Snapshot, name: string): void {
  verifyEnvelope(envelope, new Map(trustedKeys.map(({ id, pem }) => [id, pem])), policy?.signatures ?? 1, name);
}

/** Agreements for PHI that are in force in this site's region, on a host of one of these names. Throws SiteError. */
export function findAgreements({ agreements, policy }: Snapshot, hosts: readonly string[], now: number): Agreement[] {
  return listTerms(agreements)
    .filter(({ agreement, stored, end }) => agreement.kind !== 'synthetic' && stateOf(agreement, stored, now, end) === 'in-force')
    .map(({ agreement }) => agreement)
    .filter((agreement) => policy !== undefined && agreement.regions.includes(policy.region))
    .filter((agreement) => agreement.hosts.length === 0 || agreement.hosts.some((host) => hosts.includes(host)));
}

/** Makers whose GPUs the engine can choose; the display of a server's maintenance processor is none. */
const gpuVendors = ['10de', '1002', '8086'];

/** Which GPU it will be is known when it is open; until then each may be it. */
function findGpus(devices: readonly DeviceIdentity[]): readonly DeviceIdentity[] {
  const known = devices.filter(({ vendor }) => gpuVendors.includes(vendor));
  return known.length > 0 ? known : devices;
}
