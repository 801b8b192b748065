/**
 * Owns the one table of settings: what there is, its limits, default and meaning. Flags, environment variables, the
 * keys of the configuration file, help, JSON Schema and docs/configuration.md all derive from it.
 */
import {
  type ActivationFormat,
  activationFormats,
  type DeviceName,
  type DraftKind,
  deviceNames,
  draftKinds,
  engineNumbers,
  type KvFormat,
  kvFormats,
} from '../../runtime/index.ts';
import { textNumbers } from '../../runtime/text/index.ts';
import {
  byteText,
  choice,
  claim,
  filePath,
  hubAddress,
  ipAddress,
  type Kind,
  localFile,
  modelPlace,
  origins,
  sha256,
  toggle,
  wholeNumber,
  witnessPlace,
} from './kinds.ts';

/** Meanings and units: the table below. */
export interface Settings {
  readonly site?: string;
  readonly model?: string;
  readonly modelFolder?: string;
  readonly verify: boolean;
  readonly modelSums?: string;
  readonly hub?: string;
  readonly hubTokenFile?: string;
  readonly device: DeviceName | 'auto';
  readonly context?: number;
  readonly maxSequences: number;
  readonly kvTokens?: number;
  readonly queueLength: number;
  readonly tokenBudget: number;
  readonly prefixSeconds: number;
  readonly prefixQuota: number;
  readonly draft: DraftKind;
  readonly draftLength: number;
  readonly stages: number;
  readonly microBatches: number;
  readonly kv: KvFormat;
  readonly activations: ActivationFormat;
  readonly expertMemory?: string;
  readonly expertHostMemory?: string;
  readonly deterministic: boolean;
  readonly tune: boolean;
  readonly textDeadlineMs: number;
  readonly textMemoryMib: number;
  readonly textRenewRequests: number;
  readonly textRenewIdleMs: number;
  readonly host: string;
  readonly port: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly tlsClients: 'optional' | 'required';
  readonly tlsMinVersion: '1.2' | '1.3';
  readonly oidcIssuer?: string;
  readonly oidcAudience?: string;
  readonly oidcKeys?: string;
  readonly corsOrigins?: string;
  readonly bodyLimit: number;
  readonly requestTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly streamCadenceMs: number;
  readonly streamGridBytes: number;
  readonly retryAfterSeconds: number;
  readonly sharedGpu: 'refuse' | 'record';
  readonly swap: 'refuse' | 'allow';
  readonly auditWitness?: string;
  readonly auditWitnessLag: number;
  readonly log: 'auto' | 'json' | 'human';
}

export type SettingName = keyof Settings;

export interface Setting<T = unknown> extends Kind<T> {
  /** What it sets, for help and documents. */
  readonly help: string;
  /** Stands for the value in help: `<tokens>`. */
  readonly value: string;
  /** The value that is in force when nobody gives one. */
  readonly standard?: T;
  /** In words, where a value alone would not say it. */
  readonly standardWords?: string;
  /** Name of the flag where it is not the setting's own name. */
  readonly flag?: string;
  /** Masked wherever settings are shown, and no flag: command lines are open to all on the machine. */
  readonly isSecret?: boolean;
}

/** One row for each property of T. */
export type SettingTable<T> = { readonly [Name in keyof T]-?: Setting<NonNullable<T[Name]>> };

const numberOf = ({ low, high, standard }: (typeof engineNumbers)['kvTokens']): Kind<number> & { readonly standard: number } => ({
  ...wholeNumber(low, high),
  standard,
});
const milliseconds = (low: number): Kind<number> => wholeNumber(low, 3_600_000);

// biome-ignore format: a table
export const settingTable: SettingTable<Settings> = {
  site: { ...filePath, value: 'folder', expected: 'the path of a folder', help: 'folder with the agreements, keys and manifest of this site', standardWords: '$XDG_STATE_HOME/inward, else ~/.local/state/inward' },
  model: { ...modelPlace, value: 'path', help: 'GGUF file or checkpoint folder to load, or the name of an imported model', standardWords: 'SmolLM2-135M-Instruct, fetched when missing and not for PHI' },
  modelFolder: { ...filePath, value: 'folder', expected: 'the path of a folder', help: 'folder of the imported models (inward model add)', standardWords: 'models in the folder of INWARD_CACHE' },
  verify: { ...toggle, value: '', help: 'before a model is loaded, hold every byte of it against the list SHA256SUMS beside it', standard: false },
  modelSums: { ...sha256, value: 'sha256', help: 'SHA-256 that this list must have; with it verify is on' },
  hub: { ...hubAddress, value: 'url', help: 'address of the model hub that `inward model add hf:ORG/NAME` fetches from; a server never connects to it' },
  hubTokenFile: { ...filePath, value: 'path', help: 'file with the token for this hub, readable by its user only' },
  device: { ...choice(['auto', ...deviceNames]), value: 'name', help: 'where to compute; auto takes the first that works', standard: 'auto' },
  context: { ...wholeNumber(engineNumbers.contextLength.low, engineNumbers.contextLength.high), value: 'tokens', help: 'tokens of prompt and answer together', standardWords: `the model's limit, at most ${engineNumbers.contextLength.standard}` },
  maxSequences: { ...numberOf(engineNumbers.maxSequences), value: 'count', help: 'requests that run at the same time' },
  kvTokens: { ...wholeNumber(engineNumbers.kvTokens.low, engineNumbers.kvTokens.high), value: 'tokens', help: 'tokens that the KV cache holds for all requests together', standardWords: `${engineNumbers.kvTokens.standard}, at least one context` },
  queueLength: { ...numberOf(engineNumbers.queueLength), flag: 'queue', value: 'count', help: 'requests that may wait beside the running ones; more are refused with status 429' },
  tokenBudget: { ...numberOf(engineNumbers.tokenBudget), value: 'tokens', help: 'tokens that one step computes at most, prompts and answers together' },
  prefixSeconds: { ...numberOf(engineNumbers.prefixSeconds), value: 'seconds', help: 'how long keys and values of a prompt stay for the next one that begins alike, since they were used last; 0: not at all' },
  prefixQuota: { ...numberOf(engineNumbers.prefixQuota), value: 'percent', help: 'part of the KV cache that may be kept for the next prompts of one tenant' },
  draft: { ...choice(draftKinds), value: 'source', help: 'who guesses tokens that are computed along with the next one: the text so far, or the block for multi-token prediction that DeepSeek-V4 has behind its layers, which is then loaded', standard: draftKinds[0] },
  draftLength: { ...numberOf(engineNumbers.draftLength), value: 'tokens', help: 'tokens that are guessed and computed along with the next one, at most; answers stay the same; 0: none' },
  stages: { ...numberOf(engineNumbers.stages), value: 'count', help: 'devices that the layers of the model are spread over, each in a process of its own: GPUs, or software devices side by side' },
  microBatches: { ...numberOf(engineNumbers.microBatches), value: 'count', help: 'parts that a step is cut into at most where there are stages, so that they work at the same time' },
  kv: { ...choice(kvFormats), value: 'format', help: 'storage of K and V', standard: kvFormats[0] },
  expertMemory: { ...byteText, value: 'size', help: 'room on the device for experts of a mixture, as 40GiB; the others come from host memory or the files of the model when a token needs them', standardWords: 'all of them are on the device' },
  expertHostMemory: { ...byteText, value: 'size', help: 'room in host memory for experts that are not on the device, as 100GiB; only with --expert-memory', standardWords: 'none: they come from the files' },
  activations: { ...choice(activationFormats), value: 'format', help: 'what quantized weights are multiplied by', standard: activationFormats[0] },
  deterministic: { ...toggle, value: '', help: 'a result does not depend on what else is in the batch, whichever kernels run', standard: true },
  tune: { ...toggle, value: '', help: 'measure at the first start on a device which kernels are fastest there, and keep that; off: the built-in choice', standard: true },
  textDeadlineMs: { ...numberOf(textNumbers.deadlineMs), value: 'ms', help: 'longest time that template and tokenizer may take for one request' },
  textMemoryMib: { ...numberOf(textNumbers.memoryMiB), value: 'MiB', help: 'heap of the text process' },
  textRenewRequests: { ...numberOf(textNumbers.renewAfterRequests), value: 'count', help: 'requests after which the text process is replaced' },
  textRenewIdleMs: { ...numberOf(textNumbers.renewIdleMs), value: 'ms', help: 'time without a request after which the text process is replaced, if it had one' },
  host: { ...ipAddress, value: 'address', help: 'address to listen on; loopback only unless TLS is set', standard: '127.0.0.1' },
  port: { ...wholeNumber(0, 65_535), value: 'number', help: 'port to listen on, 0 for a free one', standard: 8080 },
  tlsCert: { ...filePath, value: 'path', help: 'PEM file of the server certificate, and of the authorities between it and the root; with it TLS is on' },
  tlsKey: { ...filePath, value: 'path', help: 'PEM file of its private key, readable by the user of the server only' },
  tlsClientCa: { ...filePath, value: 'path', help: 'PEM file of the authorities of client certificates; with it clients are asked for one' },
  tlsClients: { ...choice(['optional', 'required']), value: 'rule', help: 'whether a client without a certificate may connect; keys that are bound to one need it anyway', standard: 'optional' },
  tlsMinVersion: { ...choice(['1.2', '1.3']), value: 'version', help: 'oldest version of TLS', standard: '1.2' },
  oidcIssuer: { ...claim, value: 'url', help: 'identity provider whose bearer tokens are taken, exactly as they name it (iss)' },
  oidcAudience: { ...claim, value: 'name', help: 'what tokens for this server name as their audience (aud)' },
  oidcKeys: { ...localFile, value: 'path', help: "file of the identity provider's public keys (JWKS)" },
  corsOrigins: { ...origins, value: 'origins', help: 'web pages whose scripts may read answers, by their origins; none unless set' },
  bodyLimit: { ...wholeNumber(1024, 2 ** 30), value: 'bytes', help: 'largest request body', standard: 2 ** 23 },
  requestTimeoutMs: { ...milliseconds(10), value: 'ms', help: 'longest time from the first byte of a request to its last', standard: 60_000 },
  drainTimeoutMs: { ...milliseconds(0), value: 'ms', help: 'time that running requests get to end after a stop signal', standard: 30_000 },
  streamCadenceMs: { ...wholeNumber(10, 500), value: 'ms', help: 'time between two writes of an answer for a paced key (inward key create --shape)', standard: 100 },
  streamGridBytes: { ...wholeNumber(64, 65_536), value: 'bytes', help: 'what the sizes of these writes, and of whole answers for a paced key, are multiples of', standard: 512 },
  retryAfterSeconds: { ...wholeNumber(1, 3600), value: 'seconds', help: 'what a refused client is told to wait where the engine has no estimate, as when the server stops', standard: 2 },
  sharedGpu: { ...choice(['refuse', 'record']), value: 'what', help: 'what becomes of a start for PHI where another process computes on the GPU', standard: 'refuse' },
  swap: { ...choice(['refuse', 'allow']), value: 'what', help: 'what becomes of a start for PHI where memory may be swapped to a disk in plain text', standard: 'refuse' },
  auditWitness: { ...witnessPlace, value: 'place', help: 'second place that keeps the checkpoints of the audit log: file:/path, command:/path, or the https address of a witness' },
  auditWitnessLag: { ...wholeNumber(0, 86_400), value: 'seconds', help: 'how long the witness may lack the newest checkpoint before requests are refused, 5 or more; 0: for ever', standard: 0 },
  log: { ...choice(['auto', 'json', 'human']), value: 'format', help: 'log lines as JSON or for people; auto: for people on a terminal', standard: 'auto' },
};

/** Settings of the import of models alone: no server has them as flags. */
export const importSettings: readonly SettingName[] = ['hub', 'hubTokenFile'];

/** Settings of the engine; `run`, `chat` and `doctor` have these. */
export const engineSettings: readonly SettingName[] = [
  'model',
  'modelFolder',
  'verify',
  'modelSums',
  'device',
  'context',
  'kvTokens',
  'tokenBudget',
  'draft',
  'draftLength',
  'stages',
  'microBatches',
  'kv',
  'activations',
  'expertMemory',
  'expertHostMemory',
  'deterministic',
  'tune',
];

/** `requestTimeoutMs` -> `request-timeout-ms`. */
export function flagName(name: string, { flag }: Pick<Setting, 'flag'>): string {
  return flag ?? splitName(name).join('-');
}

/** `requestTimeoutMs` -> `INWARD_REQUEST_TIMEOUT_MS`. */
export function environmentName(name: string): string {
  return `INWARD_${splitName(name).join('_').toUpperCase()}`;
}

/** `8080`, or what happens instead of a value. */
export function describeStandard({ standard, standardWords }: Pick<Setting, 'standard' | 'standardWords'>): string {
  return standardWords ?? (standard === undefined ? 'none' : String(standard));
}

function splitName(name: string): string[] {
  return name.split(/(?=[A-Z])/).map((part) => part.toLowerCase());
}
