/**
 * Models that are not as they should be, as an engine opens them: one sentence that names the file, the tensor, what was expected and what was
 * found, and all of it before a device is opened. The models are a seeded one with one change.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { RefTensor } from '../../../kernels/stored.ref.ts';
import { openCheckpoint } from '../../../runtime/checkpoint/index.ts';
import { createEngine } from '../../../runtime/engine.ts';
import { readVocabulary } from '../../../runtime/text/vocabulary.ts';
import { convertSeeded } from '../../gguf/convert.ts';
import { type GgufModel, modelBytes } from '../../gguf/model.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';
import { createFolders, safetensorsBytes, tensorsFile } from '../../safetensors-file.ts';
import { bf16Bytes, readSeeded, type SeededTensor, seededTensors } from '../../seeded.ts';

const folders = createFolders();
const ggufs = createFolder();
afterAll(() => {
  folders.remove();
  ggufs.remove();
});

type Tensors = Map<string, RefTensor>;

const seeded = readSeeded('qwen2');
const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const index = 'model.safetensors.index.json';
/** In the first shard; the second has those of layer 2, and a norm of 96 numbers among them. */
const [down, norm] = ['model.layers.1.mlp.down_proj.weight', 'model.layers.2.input_layernorm.weight'];

/** A checkpoint of two shards. */
function files(change: (tensors: Tensors) => void = () => undefined, config: object = {}): Record<string, Buffer | string> {
  const tensors: Tensors = new Map(
    Array.from(seededTensors(seeded), ([name, { shape, values }]) => [name, { storage: 'BF16', shape, bytes: bf16Bytes(values) }]),
  );
  change(tensors);
  const shardOf = (name: string): string => shards[name.includes('layers.2.') ? 1 : 0];
  const own = (shard: string): Tensors => new Map([...tensors].filter(([name]) => shardOf(name) === shard));
  return {
    'config.json': JSON.stringify({ ...seeded.config, ...config }),
    [index]: JSON.stringify({ weight_map: Object.fromEntries(Array.from(tensors.keys(), (name) => [name, shardOf(name)])) }),
    ...Object.fromEntries(shards.map((shard) => [shard, tensorsFile(own(shard))])),
  };
}

/** A tensor with something else about it. */
function change(name: string, to: { readonly storage?: string; readonly shape?: readonly number[]; readonly size?: number }): (tensors: Tensors) => void {
  return (tensors) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`no ${name}`);
    tensors.set(name, { ...tensor, ...to, bytes: tensor.bytes.subarray(0, to.size) } as typeof tensor);
  };
}

/** What opening says. Whoever asks for a device says so. */
async function refusal(modelPath: string): Promise<string> {
  const host = {
    get driver(): never {
      throw new Error('a device was asked for');
    },
  };
  return await createEngine({ modelPath }, {}, host).then(
    () => 'opened',
    (error: Error) => error.message,
  );
}

test('without a change they get as far as a device', async () => {
  expect(await refusal(folders.write(files()))).toBe('a device was asked for');
  expect(await refusal(ggufs.write(modelBytes(convertSeeded(seeded))))).toBe('a device was asked for');
});

const folderRemedy = 'Fetch its files again, or convert the model anew.';
const ggufRemedy = 'Fetch the file again, or convert the model anew.';
const familyRemedy = 'Choose a model of a supported family and storage format.';

describe('a folder', () => {
  test.each<[string, Record<string, Buffer | string>, string]>([
    [
      'a matrix of another shape',
      files(change(down, { shape: [176, 96] })),
      `tensor ${down} in ${shards[0]}: expected shape 96 x 176, found 176 x 96. ${familyRemedy}`,
    ],
    [
      'a norm of another length',
      files(change(norm, { shape: [48], size: 96 })),
      `tensor ${norm} in ${shards[1]}: expected shape 96, found 48. ${familyRemedy}`,
    ],
    ['no kernels for a storage', files(change(down, { storage: 'I16' })), `tensor ${down} in ${shards[0]}: expected storage F32, F16, BF16,`],
    [
      'a norm in bytes',
      files(change(norm, { storage: 'U8', shape: [96], size: 96 })),
      `tensor ${norm} in ${shards[1]}: expected storage F32, F16, BF16, found U8. ${familyRemedy}`,
    ],
    ['a storage that nobody knows', files(change(down, { storage: 'Q9' })), `dtype of tensor ${down} in ${shards[0]}: expected F4, F6_E2M3,`],
    ['a family that nobody knows', files(undefined, { model_type: 'mamba2' }), 'config.json model_type: expected '],
    [
      'more tokens than rows',
      files(undefined, { vocab_size: 200 }),
      `tensor model.embed_tokens.weight in ${shards[0]}: expected shape 200 x 96, found 160 x 96. ${familyRemedy}`,
    ],
  ])('with %s', async (_, content, expected) => {
    const message = await refusal(folders.write(content));
    expect(message).toContain(`: ${expected}`);
    expect(message).toMatch(/^The model (?:folder is not usable|is not supported): [^\n]*, found [\w ]+\. [^.]*\.$/);
  });

  test('without a tensor: its file is not known', async () => {
    const folder = folders.write(files((tensors) => tensors.delete(norm)));
    expect(await refusal(folder)).toBe(
      `The model is not supported: tensor ${norm} in ${folder.split('/').at(-1)}: expected shape 96, found nothing. ${familyRemedy}`,
    );
  });

  test('without a shard', async () => {
    const { [shards[1]]: _, ...rest } = files();
    const folder = folders.write(rest);
    expect(await refusal(folder)).toMatch(
      new RegExp(
        `^The model folder is not usable: file ${shards[1]}: expected tensor model.layers.2.\\S+ and \\d+ more, as the index says, found no readable file\\. ${folderRemedy}$`,
      ),
    );
  });

  test('with a shard that was cut off', async () => {
    const whole = files();
    const cut = { ...whole, [shards[1]]: (whole[shards[1]] as Buffer).subarray(0, -100) };
    expect(await refusal(folders.write(cut))).toMatch(
      new RegExp(`^The model folder is not usable: data of ${shards[1]}: expected \\d+ bytes, as its tensors say, found \\d+ bytes\\. ${folderRemedy}$`),
    );
  });

  test('with a tensor of the index that is in no shard, and with one that the index has twice', async () => {
    const whole = files();
    const text = String(whole[index]);
    const more = (entries: string): string => folders.write({ ...whole, [index]: text.replace('{"weight_map":{', `{"weight_map":{${entries},`) });
    expect(await refusal(more(`"x.weight":"${shards[0]}"`))).toBe(
      `The model folder is not usable: tensor x.weight in ${shards[0]}: expected to be there, as the index says, found nothing. ${folderRemedy}`,
    );
    expect(await refusal(more(`"${norm}":"${shards[0]}"`))).toBe(
      `The model folder is not usable: key ${norm} of ${index}: expected one value, found a second one. ${folderRemedy}`,
    );
  });
});

describe('a GGUF file', () => {
  const good = convertSeeded(seeded);
  const withTensors = (edit: (tensors: Map<string, SeededTensor>) => void): GgufModel => {
    const tensors = new Map(good.tensors);
    edit(tensors);
    return { ...good, tensors };
  };
  const withoutKey = (name: string): GgufModel => ({ ...good, keys: new Map([...good.keys].filter(([key]) => key !== name)) });
  const up = 'blk.1.ffn_up.weight';

  test.each<[string, GgufModel, string]>([
    ['an architecture that nobody knows', { ...good, architecture: 'mamba' }, 'general.architecture in FILE: expected '],
    ['a key less', withoutKey('block_count'), 'metadata qwen2.block_count in FILE: expected a whole number from 1 to 16777216, found nothing.'],
    ['a tensor less', withTensors((tensors) => tensors.delete(up)), `tensor ${up} in FILE: expected shape 176 x 96, found nothing. ${familyRemedy}`],
    [
      'a matrix of another shape',
      withTensors((tensors) => tensors.set(up, { ...(tensors.get(up) as SeededTensor), shape: [96, 176] })),
      `tensor ${up} in FILE: expected shape 176 x 96, found 96 x 176. ${familyRemedy}`,
    ],
    [
      'a norm of another length',
      withTensors((tensors) => tensors.set('blk.2.attn_norm.weight', { shape: [48], values: new Float32Array(48) })),
      `tensor blk.2.attn_norm.weight in FILE: expected shape 96, found 48. ${familyRemedy}`,
    ],
  ])('with %s', async (_, model, expected) => {
    const path = ggufs.write(modelBytes(model));
    expect(await refusal(path)).toContain(`: ${expected.replace('FILE', path.split('/').at(-1) ?? '')}`);
  });

  test('with a storage that nobody knows, and cut off', async () => {
    const unknown = modelBytes(good);
    // Behind the name: the count of dimensions, two of them, the storage.
    unknown.writeUInt32LE(77, unknown.indexOf(up) + up.length + 4 + 16);
    const path = ggufs.write(unknown);
    const named = (file: string): string => file.split('/').at(-1) ?? '';
    expect(await refusal(path)).toBe(
      `The GGUF file is not usable: storage of tensor ${up} in ${named(path)}: expected a known type id, found 77. ${ggufRemedy}`,
    );
    const short = ggufs.write(modelBytes(good).subarray(0, -1000));
    expect(await refusal(short)).toMatch(new RegExp(`tensor \\S+ in ${named(short)}: expected \\d+ bytes, found \\d+ bytes before the end of the file\\.`));
  });
});

describe('vocabularies', () => {
  /** The 256 bytes as tokens, and an embedding of so many rows. */
  const gguf = (rows: number): string =>
    ggufs.write(ggufBytes(tokenizerPairs({}), [{ name: 'token_embd.weight', dimensions: [8, rows], typeId: 0, offset: 0 }], new Uint8Array(rows * 32)));
  const folder = (vocab_size: number): string => {
    const vocab = Object.fromEntries(Array.from({ length: 5 }, (_, id) => [String.fromCharCode(97 + id), id]));
    const tokenizer = { model: { type: 'BPE', vocab, merges: [] }, added_tokens: [] };
    const config = JSON.stringify({ ...seeded.config, vocab_size });
    return folders.write({ 'config.json': config, 'tokenizer.json': JSON.stringify(tokenizer), 'model.safetensors': safetensorsBytes({}) });
  };
  const sizeOf = (path: string): number | string => {
    using checkpoint = openCheckpoint(path);
    try {
      return readVocabulary(checkpoint).tokens.length;
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('rows that no token has are padding', () => {
    expect([sizeOf(gguf(256)), sizeOf(gguf(320)), sizeOf(folder(5)), sizeOf(folder(64))]).toEqual([256, 256, 5, 5]);
  });

  test('tokens that have no row are of another model', () => {
    const path = gguf(255);
    expect(sizeOf(path)).toBe(
      `The GGUF file is not usable: metadata tokenizer.ggml.tokens in ${path.split('/').at(-1)}: expected at most 255 tokens, the rows of token_embd.weight, found 256. ${ggufRemedy}`,
    );
    expect(sizeOf(folder(4))).toBe(
      `The model folder is not usable: tokenizer.json: expected ids below the vocab_size 4 of config.json, found 4. ${folderRemedy}`,
    );
  });
});
