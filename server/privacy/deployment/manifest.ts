/**
 * Owns what a deployment manifest says: where a server stands, on which host and devices, with which software and weights,
 * under which agreement. Refuses fields that it does not know.
 */
import { isIPv6 } from 'node:net';
import { z } from 'zod';
import type { Envelope } from '../envelope.ts';
import { SiteError } from '../errors.ts';
import { codeLimit, forms } from '../words.ts';

/** A device as the operating system names it. */
export interface DeviceIdentity {
  /** `0000:3b:00.0`, or `software`. */
  readonly address: string;
  /** `10de`; `0000` of a software device. */
  readonly vendor: string;
  /** `2330`, or the name of a software device. */
  readonly model: string;
  /** UUID or serial where the driver gives one. */
  readonly serial?: string | undefined;
}

export interface WeightFile {
  /** Of a file, or of a folder and a file in it: `llama/config.json`. */
  readonly name: string;
  readonly sha256: string;
}

export interface Manifest {
  readonly id: string;
  readonly site: string;
  readonly region: string;
  /** SHA-256 over the machine's id, so that the id itself is not told. */
  readonly host: string;
  readonly devices: readonly DeviceIdentity[];
  /** SHA-256 over the program's files. */
  readonly software: string;
  readonly weights: readonly WeightFile[];
  readonly agreement: string;
  /** `host:port` that the server may connect to; empty: none. */
  readonly outbound: readonly string[];
  /** UTC, to the second. */
  readonly issued: string;
}

/** Devices and files of weights that a manifest has room for. */
export const deviceLimit = 64;
export const weightLimit = 512;
const outboundLimit = 64;

/** What identifies devices and files; `uuid` is what NVIDIA's driver calls a GPU, `uniqueId` what amdgpu does. */
export const deviceForms: Readonly<Record<'address' | 'id' | 'uuid' | 'uniqueId', RegExp>> = {
  address: /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/,
  id: /^[0-9a-f]{4}$/,
  uuid: /^GPU-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  uniqueId: /^[0-9a-f]{16}$/,
};
/** The only folders in a model's folder, and the files there: chat templates for requests of their own kind, and how an encoder pools. */
export const innerFolders: readonly string[] = ['additional_chat_templates', '1_Pooling'];
export const innerForm: RegExp = /^(?:additional_chat_templates\/\w[\w.+-]{0,119}\.jinja|1_Pooling\/config\.json)$/;
/** A file of a model's folder. */
export const memberForm: RegExp = /^(?:(?:additional_chat_templates|1_Pooling)\/)?\w[\w.+-]{0,119}$/;
/** A file of weights, or a folder and a file of it. */
export const weightForm: RegExp = /^(?:\w[\w.+-]{0,119}\/(?:(?:additional_chat_templates|1_Pooling)\/)?)?\w[\w.+-]{0,119}$/;
/** Names of software devices. */
const softwareDevices = ['lavapipe', 'swiftshader'] as const;

const serial = z.union([z.string().regex(deviceForms.uuid), z.string().regex(deviceForms.uniqueId)]).optional();
const deviceSchema: z.ZodType<DeviceIdentity> = z.union([
  z.strictObject({
    address: z.string().regex(deviceForms.address),
    vendor: z.string().regex(deviceForms.id),
    model: z.string().regex(deviceForms.id),
    serial,
  }),
  z.strictObject({ address: z.literal('software'), vendor: z.literal('0000'), model: z.enum(softwareDevices) }),
]);

export const outboundSchema: z.ZodType<string> = z.string().max(260).refine(isDestination);

const manifestSchema: z.ZodType<Manifest> = z.strictObject({
  id: z.string().regex(forms.manifestId),
  site: z.string().max(codeLimit).regex(forms.code),
  region: z.string().regex(forms.region),
  host: z.string().regex(forms.sha256),
  devices: z
    .array(deviceSchema)
    .max(deviceLimit)
    .refine((devices) => isUnique(devices.map(({ address }) => address))),
  software: z.string().regex(forms.sha256),
  weights: z
    .array(z.strictObject({ name: z.string().regex(weightForm), sha256: z.string().regex(forms.sha256) }))
    .max(weightLimit)
    .refine((files) => isUnique(files.map(({ name }) => name))),
  agreement: z.string().regex(forms.agreementId),
  outbound: z.array(outboundSchema).max(outboundLimit).refine(isUnique),
  issued: z.string().refine(isSecond),
});

/** How a sentence names what belongs into a field. */
const rules: Readonly<Record<keyof Manifest, string>> = {
  id: 'mf- and 8 to 32 small letters or digits',
  site: 'the code of a site, such as north-hospital',
  region: 'the code of a region, such as us-east',
  host: 'the SHA-256 of a host',
  devices: `a list of at most ${deviceLimit} devices, each address once, with address, vendor, model and perhaps serial as the system writes them`,
  software: "the SHA-256 of the program's files",
  weights: `a list of at most ${weightLimit} files, each name once, with name and sha256`,
  agreement: 'the id of an agreement',
  outbound: `a list of at most ${outboundLimit} destinations, each once, such as siem.example.org:6514, and none that tells a cloud's metadata`,
  issued: 'a time in UTC, such as 2026-11-24T00:00:00Z',
};

/** The manifest in an envelope whose signatures others judge. Throws SiteError with the first field that breaks a rule. */
export function readManifest({ type, record }: Envelope): Manifest {
  if (type !== 'inward.manifest.v1') throw new SiteError(`The record is no deployment manifest: expected inward.manifest.v1, found ${type}.`);
  const result = manifestSchema.safeParse(record);
  if (result.success) return result.data;
  const [field] = result.error.issues[0]?.path ?? [];
  const name = Object.keys(rules).find((key) => key === field) as keyof Manifest | undefined;
  if (name === undefined) throw new SiteError(`The manifest has a field that manifests do not have; expected only ${Object.keys(rules).join(', ')}.`);
  throw new SiteError(`The manifest cannot be used: its field ${name} must be ${rules[name]}.`);
}

/** Where clouds tell a machine about itself, its credentials included: AWS, Azure, GCP, Oracle, Alibaba. */
const metadataHosts: readonly string[] = [
  ...['168.63.129.16', '100.100.100.200', '[fd00:ec2::254]', '[fd20:ce::254]', '[fd00:c1::a9fe:a9fe]'],
  ...['metadata', 'metadata.google.internal', 'metadata.goog', 'instance-data', 'instance-data.ec2.internal'],
];
/** Link-local IPv4, and IPv4 in the clothes of IPv6 (mapped, translated, compatible). */
const metadataForm = /^169\.254\.|^\[::ffff:|^\[64:ff9b:|^\[::[0-9a-f]+:[0-9a-f]+\]$/;

/** Only the one spelling of a host that a URL would get, so that none can be written in another way. */
function isDestination(text: string): boolean {
  const [, host = '', port = ''] = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?):([1-9]\d{0,4})$/.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535 || metadataHosts.includes(host) || metadataForm.test(host)) return false;
  if (host.startsWith('[') && !isIPv6(host.slice(1, -1))) return false;
  return URL.canParse(`http://${host}/`) && new URL(`http://${host}/`).hostname === host;
}

function isSecond(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString() === text.replace('Z', '.000Z');
}

function isUnique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length;
}
