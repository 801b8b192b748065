/**
 * Owns where a model folder keeps its chat templates: chat_template.jinja, additional_chat_templates/*.jinja, chat_template of tokenizer_config.json (a
 * text, or a list of named ones), chat_template.json; the first of them that is there counts.
 */
import { describe, invalidCheckpoint, isObject, type Json, type JsonObject } from '../checkpoint/json.ts';
import type { FolderFiles } from './files.ts';
import type { ChatTemplates } from './vocabulary.ts';

/** Names of templates for requests with tools. */
const toolName = 'tool_use';
const folder = 'additional_chat_templates';

/** `config`: tokenizer_config.json. Throws checkpoint_invalid. */
export function readFolderTemplates(files: FolderFiles, config: JsonObject): ChatTemplates {
  const standard = files.text('chat_template.jinja');
  const toolUse = files.list(folder).includes(`${toolName}.jinja`) ? files.text(`${folder}/${toolName}.jinja`) : undefined;
  if (standard !== undefined || toolUse !== undefined) return { standard, toolUse };
  const inline = config['chat_template'];
  if (inline !== undefined && inline !== null) return readInline(inline, 'tokenizer_config.json');
  const separate = files.json('chat_template.json')?.['chat_template'];
  return separate === undefined || separate === null ? {} : readInline(separate, 'chat_template.json');
}

function readInline(value: Json, file: string): ChatTemplates {
  if (typeof value === 'string') return { standard: value };
  const part = `chat_template of ${file}`;
  if (!Array.isArray(value)) throw invalidCheckpoint(part, 'a text or a list of named ones', describe(value));
  const named = new Map<string, string>();
  for (const entry of value as readonly Json[]) {
    const { name, template } = isObject(entry) ? entry : {};
    if (typeof name !== 'string' || typeof template !== 'string') throw invalidCheckpoint(part, 'objects with name and template', 'others');
    named.set(name, template);
  }
  return { standard: named.get('default'), toolUse: named.get(toolName) };
}
