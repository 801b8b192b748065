/**
 * Owns the formats of JSON Schema as expressions, after the standards that its validation paper names. Where a standard leaves something to
 * tables or to arithmetic that no expression has, the expression holds to less and never to more: hosts without punycode, leap seconds in UTC only.
 */
const month31 = '(0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])';
const month30 = '(0[469]|11)-(0[1-9]|[12]\\d|30)';
const leapYear = '(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)';
/** RFC 3339, with the days that each month has. */
const date = `(\\d{4}-(${month31}|${month30}|02-(0[1-9]|1\\d|2[0-8]))|${leapYear}-02-29)`;
const minutes = '([01]\\d|2[0-3]):[0-5]\\d';
const time = `(${minutes}:[0-5]\\d(\\.\\d+)?([Zz]|[+-]${minutes})|23:59:60(\\.\\d+)?[Zz])`;

/** ISO 8601, as RFC 3339 appendix A has it. */
const clock = 'T(\\d+H(\\d+M(\\d+S)?)?|\\d+M(\\d+S)?|\\d+S)';
const days = '(\\d+D|\\d+M(\\d+D)?|\\d+Y(\\d+M(\\d+D)?)?)';
const duration = `P(${days}(${clock})?|${clock}|\\d+W)`;

/** RFC 1123. A second pair of hyphens marks punycode, whose meaning no expression checks. */
const [letter, inner] = ['[A-Za-z\\d]', '[A-Za-z\\d-]'];
const label = `${letter}(${letter}|${inner}${letter}|${inner}${inner}${letter}|${inner}(${letter}${inner}|-${letter})${inner}{0,58}${letter})?`;
const hostname = `(?=.{1,253}$)${label}(\\.${label})*`;

const octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ipv4 = `${octet}(\\.${octet}){3}`;
/** RFC 4291 2.2: eight groups, of which one run of zeros may be left out, and the last two as IPv4. */
const h16 = '[\\da-fA-F]{1,4}';
const ls32 = `(${h16}:${h16}|${ipv4})`;
const ipv6 = `(${[
  `(${h16}:){6}${ls32}`,
  `::(${h16}:){5}${ls32}`,
  `(${h16})?::(${h16}:){4}${ls32}`,
  `((${h16}:){0,1}${h16})?::(${h16}:){3}${ls32}`,
  `((${h16}:){0,2}${h16})?::(${h16}:){2}${ls32}`,
  `((${h16}:){0,3}${h16})?::${h16}:${ls32}`,
  `((${h16}:){0,4}${h16})?::${ls32}`,
  `((${h16}:){0,5}${h16})?::${h16}`,
  `((${h16}:){0,6}${h16})?::`,
].join('|')})`;

/** RFC 5321 4.1.2: dots between atoms or a quoted part, and a host or an address in brackets. */
const atom = "[A-Za-z\\d!#$%&'*+/=?^_`{|}~-]+";
const domain = `${label}(\\.${label})*`;
const email = `(${atom}(\\.${atom})*|"([ !#-\\[\\]-~]|\\\\[ -~])*")@(${domain}|\\[(${ipv4}|IPv6:${ipv6})\\])`;

/** RFC 3986 appendix A; RFC 3987 adds the characters beyond ASCII that are not for private use. */
function toUri(more: string, isAbsolute: boolean): string {
  const plain = `A-Za-z\\d._~${more}\\-`;
  const other = "!$&'()*+,;=";
  const encoded = '%[\\da-fA-F]{2}';
  const character = `([${plain}${other}:@]|${encoded})`;
  const authority = `(([${plain}${other}:]|${encoded})*@)?(\\[(${ipv6}|[vV][\\da-fA-F]+\\.[${plain}${other}:]+)\\]|([${plain}${other}]|${encoded})*)(:\\d*)?`;
  const path = `(/${character}*)*`;
  const rootless = `${character}+${path}`;
  const relative = `([${plain}${other}@]|${encoded})+${path}`;
  const end = `(\\?(${character}|[/?])*)?(#(${character}|[/?])*)?`;
  const absolute = `[A-Za-z][A-Za-z\\d+.-]*:(//${authority}${path}|/(${rootless})?|${rootless})?`;
  return isAbsolute ? `${absolute}${end}` : `(${absolute}|//${authority}${path}|/(${rootless})?|${relative})?${end}`;
}
const international = '\\u{a0}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{ffef}\\u{10000}-\\u{1fffd}\\u{20000}-\\u{2fffd}\\u{30000}-\\u{3fffd}';

/** RFC 6570: expressions in braces between literals. */
const variable = '([A-Za-z\\d_]|%[\\da-fA-F]{2})(\\.?([A-Za-z\\d_]|%[\\da-fA-F]{2}))*(:[1-9]\\d{0,3}|\\*)?';
const template = `([!#$&-;=?@A-Z\\[\\]_a-z~\\u{a0}-\\u{d7ff}\\u{e000}-\\u{10ffff}]|%[\\da-fA-F]{2}|\\{[+#./;?&]?${variable}(,${variable})*\\})*`;

const pointer = '(/([^~/]|~[01])*)*';

const expressions: Readonly<Record<string, string>> = {
  date,
  time,
  'date-time': `${date}[Tt]${time}`,
  duration,
  email,
  hostname,
  ipv4,
  ipv6,
  uuid: '[\\da-fA-F]{8}(-[\\da-fA-F]{4}){3}-[\\da-fA-F]{12}',
  uri: toUri('', true),
  'uri-reference': toUri('', false),
  iri: toUri(international, true),
  'iri-reference': toUri(international, false),
  'uri-template': template,
  'json-pointer': pointer,
  'relative-json-pointer': `(0|[1-9]\\d*)(#|${pointer})`,
};

/** RFC 4648 4, as draft 7 lets schemas demand it by contentEncoding. */
export const base64 = '([A-Za-z\\d+/]{4})*([A-Za-z\\d+/]{2}==|[A-Za-z\\d+/]{3}=)?';

/** Standard formats that no expression holds to. */
const refused: ReadonlySet<string> = new Set(['idn-email', 'idn-hostname', 'regex']);

/** The expression of a whole text; 'refused' for a standard format without one, undefined for a name that the standard does not have. */
export function findFormat(name: string): string | 'refused' | undefined {
  return refused.has(name) ? 'refused' : Object.hasOwn(expressions, name) ? expressions[name] : undefined;
}
