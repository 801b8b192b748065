/**
 * Owns what is looked at once more of an answer that a grammar held: its text under a schema, arguments of calls under those of their tools, and which tools it
 * calls. Refuses nothing that the request did not demand.
 */
import { InwardError } from '../../runtime/index.ts';
import type { HeldValue } from '../../runtime/text/index.ts';
import type { ContentPart } from './parts.ts';
import type { ChoicePlan } from './plan.ts';

type Demand = Pick<ChoicePlan, 'parsing' | 'format'>;

export class HeldAnswer {
  readonly #demand: Demand;
  #text = '';
  readonly #calls: { readonly name: string; text: string }[] = [];

  constructor(demand: Demand) {
    this.#demand = demand;
  }

  add(part: ContentPart): void {
    if (part.type === 'text') this.#text += part.text;
    if (part.type === 'call') this.#calls.push({ name: part.name, text: part.text });
    if (part.type === 'arguments') this.#calls.at(-1)!.text += part.text;
  }

  /** Of a whole answer. Throws answer_invalid where it does not call what it must. */
  listValues(): readonly HeldValue[] {
    const { parsing, format } = this.#demand;
    const { choice = 'auto', strict = [], tools = [] } = parsing ?? {};
    if (this.#calls.length === 0 && choice === 'auto')
      return format === undefined ? [] : [{ schema: new TextDecoder().decode(format.source), text: this.#text }];
    const schemas = new Map(tools.map((tool) => readTool(tool)));
    const isNamed = typeof choice === 'object';
    const mayBeCalled = ({ name }: { readonly name: string }): boolean => (isNamed ? name === choice.name : schemas.has(name));
    const isRight = this.#calls.length > 0 && (!isNamed || this.#calls.length === 1) && this.#calls.every(mayBeCalled);
    if (choice !== 'auto' && !isRight) throw new InwardError('answer_invalid');
    return this.#calls
      .filter(({ name }) => choice !== 'auto' || strict.includes(name))
      .map(({ name, text }) => ({ schema: JSON.stringify({ ...schemas.get(name), type: 'object' }), text }));
  }
}

function readTool(tool: Readonly<Record<string, unknown>>): readonly [name: string, parameters: object] {
  const { name, parameters = {} } = tool['function'] as { readonly name: string; readonly parameters?: object };
  return [name, parameters];
}
