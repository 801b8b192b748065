/**
 * Owns GET /docs: the API as one page that a browser shows without a script, an image or anything from elsewhere.
 */
import type { Operation } from './openapi.ts';

type Json = Readonly<Record<string, unknown>>;

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }
code { font: 0.9em ui-monospace, monospace; }
h2 { margin-top: 2.5rem; font-size: 1.1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem; border-bottom: 1px solid #ddd; }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #161616; } th, td { border-color: #444; } }
`;

export function createPage(operations: readonly Operation[], version: string): string {
  const links = operations.map(({ method, path }) => `<li><a href="#${toAnchor(path)}"><code>${method.toUpperCase()} ${escapeText(path)}</code></a></li>`);
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Inward ${escapeText(version)}: HTTP API</title><style>${style}</style></head><body>`,
    `<h1>Inward ${escapeText(version)}: HTTP API</h1>`,
    '<p>Keys go in <code>authorization: Bearer KEY</code> or <code>x-api-key: KEY</code>. <code>docs/api.md</code> of the package says what each field means; <a href="/openapi.json">openapi.json</a> is this page for programs.</p>',
    `<nav><ul>${links.join('')}</ul></nav>`,
    ...operations.map(describe),
    '</body></html>',
  ].join('\n');
}

function describe({ method, path, summary, isOpen, body, canStream }: Operation): string {
  const notes = [summary, ...(isOpen ? ['open to everybody'] : []), ...(canStream ? ['whole, or as server-sent events'] : [])];
  const heading = `<h2 id="${toAnchor(path)}"><code>${method.toUpperCase()} ${escapeText(path)}</code></h2><p>${escapeText(notes.join('; '))}.</p>`;
  // A body of several forms has a table for each.
  const forms = body === undefined ? [] : ((body['anyOf'] as readonly Json[] | undefined) ?? [body]);
  return heading + forms.map(describeFields).join('<p>or</p>');
}

function describeFields({ properties = {}, required = [] }: Json): string {
  const rows = Object.entries(properties as Readonly<Record<string, Json>>).map(([name, schema]) => {
    const isRequired = (required as readonly string[]).includes(name);
    return `<tr><td><code>${escapeText(name)}</code>${isRequired ? ' (must be there)' : ''}</td><td>${escapeText(describeType(schema))}</td></tr>`;
  });
  return `<table><thead><tr><th>field</th><th>values</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function describeType(schema: Json): string {
  const { description } = schema;
  return description === undefined ? describeValues(schema) : `${describeValues(schema)}; ${String(description)}`;
}

function describeValues({ anyOf, enum: values, const: only, type, items, minimum, maximum, maxProperties }: Json): string {
  if (Array.isArray(anyOf)) return [...new Set(anyOf.map((one: Json) => describeType(one)))].filter((text) => text !== 'null').join(', or ');
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(', ');
  if (only !== undefined) return JSON.stringify(only);
  if (maxProperties === 0) return 'empty';
  const range = [minimum === undefined ? '' : ` from ${String(minimum)}`, maximum === undefined ? '' : ` to ${String(maximum)}`].join('');
  const name = type === 'array' && items !== undefined ? `list of: ${describeType(items as Json)}` : [type ?? 'anything'].flat().join(' or ');
  return name + range;
}

function toAnchor(path: string): string {
  return path.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '');
}

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
