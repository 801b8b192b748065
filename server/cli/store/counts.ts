/**
 * Owns how the size of a store is told.
 */
import type { StoreCounts } from '../../privacy/store/backup.ts';

/** `3 keys, 2 people, 1 tenant, 1 agreement, 1 manifest`, or only those that are given. */
export function describeCounts({ keys, people, tenants, agreements, manifests }: Partial<StoreCounts>): string {
  const rows: readonly (readonly [number | undefined, string, string])[] = [
    [keys, 'key', 'keys'],
    [people, 'person', 'people'],
    [tenants, 'tenant', 'tenants'],
    [agreements, 'agreement', 'agreements'],
    [manifests, 'manifest', 'manifests'],
  ];
  const given = rows.filter(([count]) => count !== undefined);
  return given.map(([count, one, many]) => `${count} ${count === 1 ? one : many}`).join(', ');
}
