/**
 * Owns the first three digits of ZIP codes that stand for 20,000 people or fewer, which Safe Harbor has replaced by 000. Dated data:
 * the rule says "current" census, so a newer table takes this one's place, never code.
 */
export const sparseZip3: { readonly source: string; readonly date: string; readonly prefixes: ReadonlySet<string> } = {
  source: 'Census 2000, as in the guidance of HHS on 45 CFR 164.514(b) of 2012-11-26',
  date: '2000-04-01',
  prefixes: new Set(['036', '059', '063', '102', '203', '556', '692', '790', '821', '823', '830', '831', '878', '879', '884', '890', '893']),
};
