/**
 * Owns the table of settings in docs/configuration.md, made from the table that the program itself goes by.
 */
import { describeStandard, environmentName, flagName, type Setting, settingTable } from '../../server/config/table.ts';

export const settingsPath = 'docs/configuration.md';
const start = '<!-- settings: npm run check -- --fix writes this table -->';
const end = '<!-- end of settings -->';

/** The page with its table as the program has it; throws if the page has no place for it. */
export function renderSettings(page: string): string {
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${settingsPath} has no place for the table between ${start} and ${end}`);
  const rows = Object.entries<Setting>(settingTable).map(([name, row]) => {
    const names = row.isToggle ? [flagName(name, row), `no-${flagName(name, row)}`] : [flagName(name, row)];
    const flag = row.isSecret ? 'none' : names.map((own) => `\`--${own}\``).join(', ');
    return [`\`${name}\``, flag, `\`${environmentName(name)}\``, describeStandard(row), row.help, row.expected];
  });
  const head = ['key', 'flag', 'environment variable', 'default', 'meaning', 'must be'];
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `${page.slice(0, from)}${start}\n${lines.join('\n')}\n${page.slice(to)}`;
}
