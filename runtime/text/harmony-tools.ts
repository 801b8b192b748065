/**
 * Owns how harmony writes tools: JSON schemas as types of TypeScript. Source: openai/harmony src/encoding.rs.
 */
import type { HarmonyFunction } from './harmony.ts';
import { builtinTools } from './harmony-builtin.ts';

type Schema = Readonly<Record<string, unknown>>;

/** The section of tools; '' for none. */
export function writeTools(builtin: readonly string[], functions: readonly HarmonyFunction[]): string {
  const spaces = [
    ...builtin.map((name) => (Object.hasOwn(builtinTools, name) ? (builtinTools[name] as string) : '')),
    functions.length === 0 ? '' : writeNamespace('functions', functions),
  ].filter((space) => space !== '');
  return spaces.length === 0 ? '' : ['# Tools', ...spaces].join('\n\n');
}

function writeNamespace(name: string, functions: readonly HarmonyFunction[]): string {
  return [`## ${name}`, `namespace ${name} {`, ...functions.map(writeFunction), `} // namespace ${name}`].join('\n\n');
}

function writeFunction({ name, description, parameters }: HarmonyFunction): string {
  const comment =
    description === undefined
      ? ''
      : `${description
          .split('\n')
          .map((line) => `// ${line}`)
          .join('\n')}\n`;
  const hasParameters = Object.keys(part(parameters?.['properties'])).length > 0;
  return `${comment}type ${name} = ${hasParameters ? `(_: ${writeType(parameters as Schema, '')})` : '()'} => any;`;
}

const part = (value: unknown): Schema => (typeof value === 'object' && value !== null ? (value as Schema) : {});
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function writeType(schema: Schema, indent: string): string {
  if (Array.isArray(schema['oneOf'])) return writeVariants(schema['oneOf'], indent);
  const { type, items, enum: values } = schema;
  if (Array.isArray(type)) return type.map((one) => (one === 'integer' ? 'number' : String(one))).join(' | ');
  switch (type) {
    case 'object':
      return writeObject(schema, indent);
    case 'string':
      return Array.isArray(values) && values.length > 0 ? values.map((value) => JSON.stringify(value)).join(' | ') : 'string';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return items === undefined ? 'Array<any>' : `${writeType(part(items), indent)}[]`;
    default:
      return 'any';
  }
}

function writeObject({ description, properties, required }: Schema, indent: string): string {
  const names = Array.isArray(required) ? required : [];
  const members = Object.entries(part(properties)).map(([name, value]) => writeMember(name, part(value), names.includes(name), indent));
  return `${description === undefined ? '' : `${indent}// ${description}\n`}{\n${members.join('')}${indent}}`;
}

function writeMember(name: string, schema: Schema, isRequired: boolean, indent: string): string {
  const { title, description, examples } = schema;
  const comments = [
    ...(text(title) === undefined ? [] : [title, '']),
    ...(text(description) === undefined ? [] : [description]),
    ...(Array.isArray(examples) && examples.length > 0 ? ['Examples:', ...examples.filter((one) => text(one) !== undefined).map((one) => `- "${one}"`)] : []),
  ].map((line) => `${indent}//${line === '' ? '' : ` ${line}`}\n`);
  const head = `${indent}${name}${isRequired ? '' : '?'}`;
  const fallback = writeDefault(schema);
  if (Array.isArray(schema['oneOf'])) {
    return `${comments.join('')}${fallback === undefined ? '' : `${indent}// ${fallback}\n`}${head}:${writeType(schema, indent)},\n`;
  }
  return `${comments.join('')}${head}: ${withNull(schema, writeType(schema, `${indent}    `))},${fallback === undefined ? '' : ` // ${fallback}`}\n`;
}

function withNull(schema: Schema, type: string): string {
  return schema['nullable'] === true && !type.includes('null') ? `${type} | null` : type;
}

function writeVariants(variants: readonly unknown[], indent: string): string {
  return variants
    .map(part)
    .map((variant) => {
      const comments = [text(variant['description']), writeDefault(variant)].filter((comment) => comment !== undefined).join(' ');
      return `\n${indent} | ${withNull(variant, writeType(variant, `${indent}   `))}${comments === '' ? '' : ` // ${comments}`}`;
    })
    .join('');
}

function writeDefault({ default: value, enum: values }: Schema): string | undefined {
  if (value === undefined) return undefined;
  return `default: ${typeof value === 'string' && Array.isArray(values) ? value : JSON.stringify(value)}`;
}
