/**
 * Owns the JSON Schema (draft 2020-12) of the configuration file, made from the table of settings.
 */
import { z } from 'zod';
import { schemaKey } from './file.ts';
import { describeStandard, type Setting, type SettingTable } from './table.ts';

/** The schema, ready to be printed. */
export function createJsonSchema<T>(table: SettingTable<T>): object {
  const properties = Object.entries<Setting>(table).map(([name, row]) => {
    const words = row.standard === undefined ? `${row.help} (default: ${describeStandard(row)})` : row.help;
    const described = row.schema.meta({ description: words, ...(row.isSecret ? { writeOnly: true } : {}) });
    return [name, row.standard === undefined ? described.optional() : described.default(row.standard)];
  });
  const file = z.strictObject({
    [schemaKey]: z.string().meta({ description: 'where this schema is; for editors' }).optional(),
    ...Object.fromEntries(properties),
  });
  return z.toJSONSchema(file.meta({ title: 'Configuration of Inward' }), { io: 'input', target: 'draft-2020-12' });
}
