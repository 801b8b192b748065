/** The sheet to print: well-formed, whole in itself, everything of the summary in it, nothing of a text taken for markup. */
import { describe, expect, test } from 'vitest';
import { createReportPage } from '../../../../../server/privacy/audit/report/page.ts';
import { drawDays, drawHours } from '../../../../../server/privacy/audit/report/pictures.ts';
import { listFindings, listTables } from '../../../../../server/privacy/audit/report/tables.ts';
import { summarize } from '../../../../../server/privacy/audit/report.ts';
import { oneOfEach } from '../any-record.ts';
import { Story } from '../story.ts';

const period = { from: Date.parse('2026-11-23T00:00Z'), to: Date.parse('2026-11-30T00:00Z') };
const everything = oneOfEach.map((record, index) => ({ ...record, time: period.from + index * 60_000 }));

/** Names of elements in the order in which they begin. Throws where tags do not match or text has a bare sign. */
function readMarkup(text: string): { readonly names: string[]; readonly attributes: string[]; readonly texts: string[] } {
  const [names, attributes, texts, open]: string[][] = [[], [], [], []];
  const token = /<!doctype html>|<(\/?)([a-z0-9]+)((?: [A-Za-z][A-Za-z0-9-]*="[^"<]*")*)(\/?)>|([^<]+)/gy;
  let end = 0;
  for (const [all, closes, name = '', more = '', isEmpty, content] of text.matchAll(token)) {
    end += all.length;
    if (content !== undefined) {
      if (/&(?!#\d+;)/.test(content) && open?.at(-1) !== 'style') throw new Error(`a bare & in ${content}`);
      texts?.push(content);
    } else if (closes === '/') {
      if (open?.pop() !== name) throw new Error(`</${name}> closes nothing`);
    } else if (name !== '') {
      names?.push(name);
      attributes?.push(
        ...more
          .trim()
          .split(/(?<=") /)
          .filter((one) => one !== ''),
      );
      if (isEmpty !== '/' && name !== 'meta') open?.push(name);
    }
  }
  if (end !== text.length || open?.length !== 0) throw new Error(`no markup at ${end}: ${text.slice(end, end + 40)}`);
  return { names: names ?? [], attributes: attributes ?? [], texts: texts ?? [] };
}

const decode = (text: string): string => text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));

test('every event: well-formed, without scripts or anything from outside, all rows in it', () => {
  const summary = summarize(everything, period);
  const page = createReportPage(summary, { site: 'st-mary', checkpoint: 'inward-audit/00\n7\nroot=\n', verification: 'All 7 records are whole.' });
  const { names, attributes, texts } = readMarkup(page);
  for (const name of ['script', 'img', 'link', 'iframe', 'object', 'form', 'a']) expect(names).not.toContain(name);
  expect(attributes.filter((one) => /^(?:src|href|on\w+|style)=/i.test(one))).toEqual([]);
  expect(page).not.toMatch(/url\(|@import|https?:\/\/(?!www\.w3\.org\/2000\/svg")/);
  expect(attributes).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  const shown = texts.map(decode);
  for (const { title, headings, rows } of [...listTables(summary), listFindings(summary)]) {
    for (const cell of [title, ...headings, ...rows.flat()]) if (cell !== '') expect(shown).toContain(cell);
  }
  for (const part of [
    'Review of the audit trail, st-mary',
    'All 7 records are whole.',
    'inward-audit/00\n7\nroot=\n',
    'Signature',
    'Date',
    'Reviewed by (name)',
  ])
    expect(shown).toContain(part);
});

test('no week is too empty', () => {
  const page = createReportPage(summarize([], period));
  expect(() => readMarkup(page)).not.toThrow();
  expect(page).toContain('Nothing stands out.');
  expect(page).toContain('was not verified');
});

/** No field can hold these today; the page must not depend on it. */
test('text is never markup', () => {
  const hostile = '<script>alert("1")</script>&amp;\'';
  const story = new Story().intent('2026-11-24T10:00Z', 1);
  const [record] = story.records;
  const summary = summarize([{ ...record, tenant: hostile, key: hostile } as never], period);
  const { names, texts } = readMarkup(createReportPage(summary, { site: hostile, checkpoint: hostile, verification: hostile }));
  expect(names).not.toContain('script');
  // Tenant, key, site twice (title and heading), checkpoint, verification.
  expect(texts.map(decode).filter((text) => text.includes(hostile))).toHaveLength(6);
});

test('the reader of these tests finds markup that is broken', () => {
  for (const broken of ['<p>', '<p></b>', '<p>a & b</p>', '<p>a < b</p>', '<p a=b></p>']) expect(() => readMarkup(broken)).toThrow();
});

describe('pictures', () => {
  test('the tallest bar is the largest day, refusals are part of it', () => {
    const day = { answered: 0, cancelled: 0, open: 0 };
    const svg = drawDays([
      { ...day, name: '2026-11-23', requests: 10, refused: 2, failed: 3 },
      { ...day, name: '2026-11-24', requests: 5, refused: 0, failed: 0 },
    ]);
    const heights = [...svg.matchAll(/y="[\d.]+" width="[\d.]+" height="([\d.]+)" fill/g)].map(([, height]) => Number(height));
    // 120 high; the first two are the key.
    expect(heights.slice(-4)).toEqual([120, 60, 60, 0]);
    expect(() => readMarkup(svg)).not.toThrow();
  });
  test('each hour has its number, empty ones none', () => {
    const hours = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => 0));
    hours[2]?.splice(5, 1, 17);
    const svg = drawHours(hours);
    expect([...svg.matchAll(/class="count"[^>]*>(\d+)</g)].map(([, count]) => count)).toEqual(['17']);
    expect(svg.match(/<rect /g)).toHaveLength(7 * 24);
    expect(() => readMarkup(svg)).not.toThrow();
  });
});
