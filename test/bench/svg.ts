/** Owns the reading of drawn charts in tests. */

export interface SvgElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Elements as name, attributes and text; throws on what is not well-formed. Enough XML for what is drawn. */
export function parseSvg(svg: string): SvgElement[] {
  const found: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: typeof found = [];
  let end = 0;
  for (const match of svg.matchAll(/<(\/?)([a-z]+)((?: [\w:-]+="[^"<&]*")*)(\/?)>/g)) {
    const between = svg.slice(end, match.index);
    if (/[<>]/.test(between) || /&(?!#\d+;)/.test(between)) throw new Error(`not text: ${between}`);
    const current = open.at(-1);
    if (current !== undefined) current.text += between.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
    end = match.index + match[0].length;
    const [, closing, name = '', attributes = '', empty] = match;
    if (closing) {
      if (open.pop()?.name !== name) throw new Error(`</${name}> ends nothing`);
      continue;
    }
    const element = {
      name,
      attributes: Object.fromEntries([...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value])),
      text: '',
    };
    found.push(element);
    if (!empty) open.push(element);
  }
  if (open.length > 0 || svg.slice(end).trim() !== '') throw new Error('something is not closed');
  return found;
}
