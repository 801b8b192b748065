/**
 * Owns the two pictures of the review sheet as SVG for paper: requests and refusals of each day, and a map of the hours of the week. Pure.
 * Refuses colour as the only sign: bars have their key, and each hour its number.
 */
import type { Named, Tally } from './tallies.ts';

const width = 760;
const style = 'text { font: 11px system-ui, sans-serif; fill: #1f2328 } .axis { stroke: #8b949e } .count { font-size: 8px; text-anchor: middle }';
const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
/** As in the charts of the bench. */
const [blue, amber] = ['#2f81f7', '#d29922'];

const top = 24;
const barHeight = 120;
const left = 44;

/** Bars of requests; refused and failed ones stand at their foot. */
export function drawDays(days: readonly Named<Tally>[]): string {
  const largest = Math.max(1, ...days.map(({ requests }) => requests));
  const step = (width - left) / Math.max(1, days.length);
  const bottom = top + barHeight;
  const bar = (index: number, count: number, colour: string): string => {
    const height = (count / largest) * barHeight;
    return `<rect x="${fix(left + index * step + step * 0.1)}" y="${fix(bottom - height)}" width="${fix(step * 0.8)}" height="${fix(height)}" fill="${colour}"/>`;
  };
  const every = Math.ceil(days.length / 14);
  const parts = days.flatMap(({ name, requests, refused, failed }, index) => [
    bar(index, requests, blue),
    bar(index, refused + failed, amber),
    index % every === 0 ? `<text x="${fix(left + (index + 0.5) * step)}" y="${bottom + 14}" text-anchor="middle">${escapeText(name.slice(5))}</text>` : '',
  ]);
  const axis = `<line class="axis" x1="${left}" x2="${width}" y1="${bottom}" y2="${bottom}"/><text x="${left - 4}" y="${top + 8}" text-anchor="end">${largest}</text>`;
  const key = `<rect x="${left}" y="4" width="10" height="10" fill="${blue}"/><text x="${left + 14}" y="13">requests</text><rect x="${left + 84}" y="4" width="10" height="10" fill="${amber}"/><text x="${left + 98}" y="13">of these refused or failed</text>`;
  return wrap(bottom + 20, 'Requests by day', [key, axis, ...parts]);
}

const cellWidth = 29;
const cellHeight = 16;

/** Darker is more; an hour without requests is empty. */
export function drawHours(hours: readonly (readonly number[])[]): string {
  const largest = Math.max(1, ...hours.flat());
  const cells = hours.flatMap((row, day) =>
    row.map((count, hour) => {
      const [x, y] = [left + hour * cellWidth, top + day * cellHeight];
      const shade = `<rect x="${x}" y="${y}" width="${cellWidth - 1}" height="${cellHeight - 1}" fill="${blue}" fill-opacity="${fix((0.85 * count) / largest + 0.04)}"/>`;
      return count === 0 ? shade : `${shade}<text class="count" x="${x + cellWidth / 2}" y="${y + 11}">${count}</text>`;
    }),
  );
  const names = weekdays.map((name, day) => `<text x="${left - 6}" y="${top + day * cellHeight + 12}" text-anchor="end">${name}</text>`);
  const heads = Array.from({ length: 24 }, (_, hour) => `<text x="${left + (hour + 0.5) * cellWidth}" y="${top - 8}" text-anchor="middle">${hour}</text>`);
  return wrap(top + 7 * cellHeight + 4, 'Requests by hour of the week', [...heads, ...names, ...cells]);
}

function wrap(height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img"><title>${title}</title><style>${style}</style>\n${parts.join('\n')}\n</svg>`;
}

const fix = (value: number): string => value.toFixed(2);

export function escapeText(content: string): string {
  return content.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
