/** The review sheet on the terminal. */
import { expect, test } from 'vitest';
import { formatReport } from '../../../../server/cli/audit/report-text.ts';
import { createStyle } from '../../../../server/cli/style.ts';
import { summarize } from '../../../../server/privacy/audit/report.ts';
import { Story } from '../../privacy/audit/story.ts';

const period = { from: Date.parse('2026-11-23T00:00Z'), to: Date.parse('2026-11-24T00:00Z') };
const style = createStyle({ isTTY: false, write: () => true } as never, {});

test('a day by hand', () => {
  const story = new Story().intent('2026-11-23T10:00Z', 1).outcome('2026-11-23T10:01Z', 1);
  story.add('2026-11-23T11:00Z', { event: 'break_glass', key: 'cccccccccc' });
  const lines = formatReport(summarize(story.records, period), style, { site: 'st-mary', verification: 'All 3 records are whole.' }).split('\n');
  expect(lines.slice(0, 3)).toEqual([
    'Review of the audit trail, st-mary',
    '2026-11-23 00:00:00 UTC to 2026-11-24 00:00:00 UTC; days and hours of UTC. 3 records.',
    'All 3 records are whole.',
  ]);
  expect(lines).toContain('Look at this');
  expect(lines).toContain('key cccccccccc  was used to break the glass: see why, and seal a new one  1      2');
  expect(lines).toContain('2026-11-23  1         1         0          0        0       0');
});

test('nothing', () => expect(formatReport(summarize([], period), style)).toContain('Nothing stands out.'));
