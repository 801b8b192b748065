/**
 * Owns what the library sentence-transformers writes beside config.json: which modules follow the encoder, how the rows of a text become one
 * vector, and how long a text may be. Gives it as keys of config.json. Refuses modules that are not built.
 */
import { describe, invalidCheckpoint, isObject, type Json, type JsonObject, plainName, unsupported } from './json.ts';

const modulesFile = 'modules.json';
const encoderFile = 'sentence_bert_config.json';

/** What `pooling_mode_X` of older files is called in newer ones. */
const modes: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
  pooling_mode_lasttoken: 'lasttoken',
};

/** `read`: a JSON file of the folder, an array as it stands; undefined where it is not there. Throws checkpoint_invalid, model_unsupported. */
export function readSentenceKeys(read: (name: string) => Json | undefined): JsonObject {
  const modules = read(modulesFile);
  if (modules === undefined) return {};
  if (!Array.isArray(modules)) throw invalidCheckpoint(modulesFile, 'an array', describe(modules));
  const [encoder, pooling, ...rest] = modules.map(readModule);
  if (encoder?.type !== 'Transformer' || encoder.path !== '')
    throw unsupported(`first module of ${modulesFile}`, 'Transformer in the folder itself', plainName(encoder?.type ?? 'nothing', 'another'));
  if (pooling?.type !== 'Pooling') throw unsupported(`second module of ${modulesFile}`, 'Pooling', plainName(pooling?.type ?? 'nothing', 'another'));
  const other = rest.find(({ type }, i) => type !== 'Normalize' || i > 0);
  if (other !== undefined) throw unsupported(`modules of ${modulesFile}`, 'Transformer, Pooling, perhaps Normalize', plainName(other.type, 'another'));
  return { ...readLimit(read(encoderFile)), pooling_mode: readMode(read(`${pooling.path}/config.json`), pooling.path), is_normalized: rest.length > 0 };
}

interface Module {
  /** Without the package it is in. */
  readonly type: string;
  readonly path: string;
}

function readModule(module: Json, place: number): Module {
  const { type, path } = isObject(module) ? module : {};
  if (typeof type !== 'string' || typeof path !== 'string')
    throw invalidCheckpoint(`module ${place} of ${modulesFile}`, 'an object with type and path', 'others');
  // One name of the folder itself.
  if (!/^(?:[A-Za-z0-9_][\w-]{0,100})?$/.test(path))
    throw invalidCheckpoint(`path of module ${place} of ${modulesFile}`, 'a folder in this folder', 'another name');
  return { type: type.split('.').at(-1) ?? '', path };
}

function readMode(config: Json | undefined, path: string): string {
  const part = `${path}/config.json`;
  if (!isObject(config)) throw invalidCheckpoint(part, 'an object', describe(config));
  const { pooling_mode: mode } = config;
  if (typeof mode === 'string') return mode;
  const chosen = Object.keys(modes).filter((key) => config[key] === true);
  const [key] = chosen;
  if (key === undefined || chosen.length > 1) throw unsupported(`pooling modes of ${part}`, 'one', chosen.length);
  return modes[key] ?? key;
}

function readLimit(config: Json | undefined): JsonObject {
  if (config === undefined) return {};
  if (!isObject(config)) throw invalidCheckpoint(encoderFile, 'an object', describe(config));
  return config['max_seq_length'] === undefined ? {} : { max_seq_length: config['max_seq_length'] };
}
