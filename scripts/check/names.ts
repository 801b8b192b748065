/**
 * Owns the rule that no file of the repository names a package registry or mirror (users have their own) or a path
 * of somebody's machine.
 */
const rules: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  {
    pattern: /registry\.npmjs|registry\.yarnpkg|files\.pythonhosted|pypi\.org|(?:deb|security|ftp)\.debian\.org|archive\.ubuntu\.com/i,
    what: 'a registry or mirror host',
  },
  { pattern: /(?<![\w.}-])\/(?:home|root|Users|work|tmp)\/[\w.-]+/, what: 'a path of one machine' },
];

/** What is wrong with the text of a file, one sentence a line of it. */
export function judgeNames(path: string, text: string): string[] {
  return text.split('\n').flatMap((line, index) => rules.filter(({ pattern }) => pattern.test(line)).map(({ what }) => `${path}:${index + 1} names ${what}`));
}
