/**
 * Owns the check of an AuditEvent against a profile of balp-profiles.ts: least and largest counts, patterns, bindings, slices that are
 * found by their discriminator and may be closed. Refuses what only R4 says (fhir-rules.ts), which a profile does not say again.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Coding, type Profile, profiles, type Rule } from './balp-profiles.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What of the profile with this name the resource does not meet, one line each; none: it conforms. */
export function judgeProfile(resource: object, name: string): string[] {
  const chain = listChain(name);
  const profile: Profile = { ...Object.assign({}, ...chain), rules: Object.assign({}, ...chain.map(({ rules }) => rules)) };
  return [
    ...Object.entries(profile.rules).flatMap(([id, rule]) => judgeRule(resource as Fields, id, rule, profile)),
    ...(profile.closed ?? []).flatMap((element) => judgeClosed(resource as Fields, element, profile)),
  ];
}

/** From the first parent on. */
function listChain(name: string): Profile[] {
  const profile = profiles[name];
  if (profile === undefined) throw new Error(`BALP 1.1.4 has no profile ${name}`);
  return [...(profile.parent === undefined ? [] : listChain(profile.parent)), profile];
}

function judgeRule(resource: Fields, id: string, rule: Rule, profile: Profile): string[] {
  const steps = id.split('.');
  const last = steps.pop() ?? '';
  let parents: readonly Fields[] = [resource];
  for (const step of steps) parents = parents.flatMap((parent) => listItems(parent, step, profile) as Fields[]);
  return parents.flatMap((parent) => {
    const items = listItems(parent, last, profile);
    const { min = 0, max = Number.POSITIVE_INFINITY } = rule;
    const isCounted = items.length >= min && items.length <= max;
    return [
      ...(isCounted ? [] : [`${id}: ${items.length}, not ${min}..${max === Number.POSITIVE_INFINITY ? '*' : max}`]),
      ...items.filter((item) => !fits(item, rule, resource, last)).map(() => `${id}: another value`),
    ];
  });
}

/** The items of an element, or those in one slice of it (`agent:oUser`). */
function listItems(parent: Fields, step: string, profile: Profile): readonly unknown[] {
  const [element = '', slice] = step.split(':');
  const value = parent[element];
  const items: readonly unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  return slice === undefined ? items : items.filter((item) => isInSlice(item, element, step, profile));
}

function isInSlice(item: unknown, element: string, slice: string, { rules, discriminators }: Profile): boolean {
  const path = discriminators?.[element] ?? (element === 'subtype' ? '$this' : 'type');
  const [value, rule] = path === '$this' ? [item, rules[slice]] : [(item as Fields)[path], rules[`${slice}.${path}`]];
  return rule !== undefined && value !== undefined && fitsValue(value, rule);
}

function judgeClosed(resource: Fields, element: string, profile: Profile): string[] {
  const slices = new Set(Object.keys(profile.rules).filter((id) => id.startsWith(`${element}:`) && !id.includes('.')));
  const others = listItems(resource, element, profile).filter((item) => ![...slices].some((slice) => isInSlice(item, element, slice, profile)));
  return others.map(() => `${element}: in no slice`);
}

function fits(item: unknown, rule: Rule, resource: Fields, step: string): boolean {
  // The pattern of a slice by `$this` is what makes an item one of it.
  if (!step.includes(':') && !fitsValue(item, rule)) return false;
  const { who, reference, type } = item as Fields;
  if (rule.isSource && !isDeepStrictEqual(who, (resource['source'] as Fields)['observer'])) return false;
  return !rule.isPatient || type === 'Patient' || (typeof reference === 'string' && reference.startsWith('Patient/'));
}

function fitsValue(value: unknown, { pattern, codes, form }: Rule): boolean {
  if (pattern !== undefined && !hasPattern(value, pattern)) return false;
  if (form !== undefined && !form.test(String(value))) return false;
  return codes === undefined || codes.some((code) => hasPattern(value, code) || hasPattern(value, { coding: [code] } satisfies { coding: Coding[] }));
}

/** By the definition of ElementDefinition.pattern[x]: all that it has is there; more may be. */
function hasPattern(value: unknown, pattern: unknown): boolean {
  if (Array.isArray(pattern)) return Array.isArray(value) && pattern.every((part) => value.some((item) => hasPattern(item, part)));
  if (typeof pattern !== 'object' || pattern === null) return value === pattern;
  return typeof value === 'object' && value !== null && Object.entries(pattern).every(([name, part]) => hasPattern((value as Fields)[name], part));
}
