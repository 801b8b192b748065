/**
 * Owns POST /v1/deidentify: a text without its identifiers, where they were, and how many, also while no model is loaded. Refuses to keep what would
 * put them back: that is for the routes that answer.
 */
import { z } from 'zod';
import { type Action, actions } from '../privacy/deid/actions/plan.ts';
import { categories } from '../privacy/deid/categories.ts';
import { replaceFound } from '../privacy/deid/deidentify.ts';
import type { Category } from '../privacy/deid/types.ts';
import { mostLength } from './identifiers.ts';
import type { PlainRoute } from './text-route.ts';
import { document, text, validate } from './validate.ts';

const action = z.enum(actions);
const shape = {
  text: document(
    text.refine((value) => value.length <= mostLength, `must have at most ${mostLength} characters`),
    { json: { maxLength: mostLength } },
  ),
  actions: z.union([action, z.partialRecord(z.enum(categories as readonly [Category, ...Category[]]), action)]).nullish(),
  language: z.enum(['en', 'es']).nullish(),
};
const body = z.strictObject(shape);

export const deidentifyRoute: PlainRoute = {
  url: '/v1/deidentify',
  promptField: 'text',
  body,
  read(value) {
    const asked = validate(body, value, Object.keys(shape));
    const chosen: Action | Readonly<Partial<Record<Category, Action>>> = asked.actions ?? 'tag';
    return async ({ note, searcher, signal }) => {
      const places = await searcher.find(asked.text, signal);
      const { text: clean, spans, counts, mapping } = replaceFound(asked.text, places, { actions: chosen, language: asked.language ?? 'en' });
      using _ = mapping;
      note(counts);
      return { text: clean, spans, counts };
    };
  },
};
