/** What a browser is told about pages of other origins: nothing, unless the operator named them. */
import { expect, test } from 'vitest';
import type { SettingsInput } from '../../server/config.ts';
import { parseSettings, SettingsError } from '../../server/config.ts';
import { Refusal } from '../../server/privacy/errors.ts';
import { listen, user } from './help.ts';

const page = 'https://notes.example.org';
const payload = { model: 'default', messages: [user('Hi')] };
const allowed: SettingsInput = { corsOrigins: `${page},http://localhost:3000` };
const corsFields = (headers: object): string[] => Object.keys(headers).filter((name) => name.startsWith('access-control-'));
const preflight = { origin: page, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization, x-evil' };

test('without the setting no page may read anything', async () => {
  await using bench = await listen();
  const answer = await bench.app.inject({ method: 'POST', url: '/v1/chat/completions', payload, headers: { origin: page } });
  expect([answer.statusCode, corsFields(answer.headers), answer.headers['vary']]).toEqual([200, [], undefined]);
  const asked = await bench.app.inject({ method: 'OPTIONS', url: '/v1/chat/completions', headers: preflight });
  expect([asked.statusCode, corsFields(asked.headers)]).toEqual([405, []]);
});

test('a page that is named may, and no other', async () => {
  await using bench = await listen({}, allowed);
  const ask = (origin: string, more: object = {}) =>
    bench.app.inject({ method: 'POST', url: '/v1/chat/completions', payload: { ...payload, ...more }, headers: { origin } });
  for (const more of [{}, { stream: true }, { n: 0 }]) {
    const answer = await ask(page, more);
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': page, vary: 'origin' });
    expect(answer.headers['access-control-expose-headers']).toContain('x-request-id');
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
  }
  for (const origin of ['https://evil.example.org', `${page}.evil.org`, `${page}:444`, 'null']) {
    const answer = await ask(origin);
    expect([answer.statusCode, corsFields(answer.headers), answer.headers['vary']]).toEqual([200, [], 'origin']);
  }
});

test('a browser that asks first is answered without a key, with what it may send', async () => {
  await using bench = await listen({}, allowed);
  const { headers, statusCode, body } = await bench.app.inject({ method: 'OPTIONS', url: '/v1/messages', headers: preflight });
  expect([statusCode, body, headers['access-control-allow-origin'], headers['access-control-allow-methods']]).toEqual([204, '', page, 'GET, POST']);
  const fields = String(headers['access-control-allow-headers']).split(', ');
  expect(fields).toEqual(expect.arrayContaining(['authorization', 'content-type', 'x-api-key', 'x-inward-purpose', 'x-stainless-lang']));
  expect(fields).not.toContain('x-evil');
  const other = await bench.app.inject({ method: 'OPTIONS', url: '/v1/messages', headers: { ...preflight, origin: 'https://evil.example.org' } });
  expect([other.statusCode, corsFields(other.headers)]).toEqual([405, []]);
});

test.each(['*', 'notes.example.org', 'https://notes.example.org/', 'https://a.example.org, https://b.example.org', 'file://x'])(
  '%j is no list of origins',
  (corsOrigins) => {
    expect(() => parseSettings({ corsOrigins })).toThrow(SettingsError);
  },
);

test.each([
  ['/v1/chat/completions', {}],
  [
    '/v1/messages',
    {
      'anthropic-ratelimit-tokens-limit': '1000',
      'anthropic-ratelimit-tokens-remaining': '250',
      'anthropic-ratelimit-tokens-reset': expect.stringMatching(/^\d{4}-.*Z$/),
    },
  ],
])('what is left of a quota is told by %s, also where it is used up', async (url, anthropic) => {
  const readAllowance = () => ({ limit: 1000, remaining: 250, resetMs: 3_604_500 });
  const told = { 'x-ratelimit-limit-tokens': '1000', 'x-ratelimit-remaining-tokens': '250', 'x-ratelimit-reset-tokens': '1h0m5s', ...anthropic };
  const ask = async (grant: object) => {
    await using bench = await listen({}, {}, grant);
    return bench.app.inject({ method: 'POST', url, payload: { ...payload, max_tokens: 5 } });
  };
  const answer = await ask({ readAllowance });
  expect([answer.statusCode, answer.headers]).toMatchObject([200, told]);
  const begin = async (): Promise<never> => {
    throw new Refusal('quota_exceeded', { scope: 'key', limit: 1000, period: 'minute', waitMs: 4500 });
  };
  const refused = await ask({ readAllowance, begin });
  expect([refused.statusCode, refused.headers]).toMatchObject([429, { ...told, 'retry-after': '5' }]);
  expect(Object.keys((await ask({})).headers).filter((name) => name.includes('ratelimit'))).toEqual([]);
});
