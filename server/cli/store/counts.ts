/**
 * Owns how the size of a store is told.
 */
import type { StoreCounts } from '../../privacy/store/backup.ts';

/** `3 keys, 2 people, 1 tenant, 1 agreement, 1 manifest`. */
export function describeCounts({ keys, people, tenants, agreements, manifests }: StoreCounts): string {
  const rows: readonly (readonly [number, string, string])[] = [
    [keys, 'key', 'keys'],
    [people, 'person', 'people'],
    [tenants, 'tenant', 'tenants'],
    [agreements, 'agreement', 'agreements'],
    [manifests, 'manifest', 'manifests'],
  ];
  return rows.map(([count, one, many]) => `${count} ${count === 1 ? one : many}`).join(', ');
}
