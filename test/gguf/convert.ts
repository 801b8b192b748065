/** Owns the making of a GGUF model from a seeded one, in the form that files of its family have. */
import { type SeededFamily, seededTensors } from '../seeded.ts';
import { type Config, decoderKeys, ggufName, joinExperts } from './form.ts';
import { forms } from './forms.ts';
import type { GgufModel, Value } from './model.ts';

/** `model_type` of the text part is the form's name. */
export function convertSeeded(seeded: SeededFamily): GgufModel {
  const config: Config = seeded.config;
  const type = String(config['model_type']);
  const form = forms[type];
  if (form === undefined) throw new Error(`no form of GGUF files for ${type}`);
  const keys = Object.entries({ ...decoderKeys(config), ...form.keys?.(config) }).filter((entry): entry is [string, Value] => entry[1] !== undefined);
  const tensors = new Map(form.extra?.(config));
  for (const [name, tensor] of joinExperts(seededTensors(seeded))) {
    const own = name.replace(/^model\./, '');
    for (const [converted, values] of form.convert?.(own, tensor, config) ?? [[own, tensor] as const]) tensors.set(ggufName(converted, form.names), values);
  }
  return { architecture: form.architecture, keys: new Map(keys), tensors };
}
