/**
 * Owns how identifiers that were found in a request stand in its record: for each category one number, and one for all. Refuses
 * values, places and anything that is no count.
 */
import { type Counts, categories } from '../deid/categories.ts';
import type { Category } from '../deid/types.ts';
import { type Kind, type Optional, optional } from './kinds.ts';

type CategoryField =
  | 'foundName'
  | 'foundGeo'
  | 'foundDate'
  | 'foundPhone'
  | 'foundFax'
  | 'foundEmail'
  | 'foundSsn'
  | 'foundMrn'
  | 'foundHealthPlan'
  | 'foundAccount'
  | 'foundLicense'
  | 'foundVehicle'
  | 'foundDevice'
  | 'foundUrl'
  | 'foundIp'
  | 'foundBiometric'
  | 'foundPhoto'
  | 'foundOtherId';
type FoundName = 'found' | CategoryField;

const fieldOf: Readonly<Record<Category, CategoryField>> = {
  NAME: 'foundName',
  GEO: 'foundGeo',
  DATE: 'foundDate',
  PHONE: 'foundPhone',
  FAX: 'foundFax',
  EMAIL: 'foundEmail',
  SSN: 'foundSsn',
  MRN: 'foundMrn',
  HEALTH_PLAN: 'foundHealthPlan',
  ACCOUNT: 'foundAccount',
  LICENSE: 'foundLicense',
  VEHICLE: 'foundVehicle',
  DEVICE: 'foundDevice',
  URL: 'foundUrl',
  IP: 'foundIp',
  BIOMETRIC: 'foundBiometric',
  PHOTO: 'foundPhoto',
  OTHER_ID: 'foundOtherId',
};

/** Buckets; `found` is of all together, and is missing where nothing was looked for. A category that is missing has none. */
export type Found = { readonly [Name in FoundName]?: number | undefined };

/** A kind for each of the fields. */
export function foundKinds(bucket: Kind<number>): { readonly [Name in FoundName]: Optional<number> } {
  const names: FoundName[] = ['found', ...categories.map((category) => fieldOf[category])];
  return Object.fromEntries(names.map((name) => [name, optional(bucket)])) as { readonly [Name in FoundName]: Optional<number> };
}

export function describeFound(counts: Counts | undefined, toBucket: (count: number) => number): Found {
  if (counts === undefined) return {};
  const entries = categories.flatMap((category) => (counts[category] === undefined ? [] : [[fieldOf[category], toBucket(counts[category])] as const]));
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { found: toBucket(all), ...Object.fromEntries(entries) };
}
