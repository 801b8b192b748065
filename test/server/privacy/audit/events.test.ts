/** The closed list of events: no field has room for a sentence, and a record is the same bytes everywhere. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeOutcome } from '../../../../server/privacy/audit/describe.ts';
import {
  type AuditEvent,
  checkEvent,
  decodeRecord,
  EventError,
  type EventOf,
  encodeRecord,
  eventTable,
  type Place,
  toBucket,
} from '../../../../server/privacy/audit/events.ts';
import type { Kind } from '../../../../server/privacy/audit/kinds.ts';
import { type Counts, categories } from '../../../../server/privacy/deid/categories.ts';
import { canonicalize } from '../../../../server/privacy/envelope.ts';
import { anyRecord, eventNames } from './any-record.ts';
import { listFrames, readLog } from './logs.ts';

type Fields = Readonly<Record<string, Kind<unknown>>>;
const events = Object.entries(eventTable) as [string, Fields][];

const anyPlaced = fc.oneof(...eventNames.map(anyRecord)).map(({ seq, time, up, boot, host, ...event }) => ({ place: { seq, time, up, boot, host }, event }));
const anyEvent: fc.Arbitrary<AuditEvent> = anyPlaced.map(({ event }) => event as AuditEvent);

test('every field is a name of a list, a number, yes or no, or a text of a form that has an end', () => {
  for (const [event, fields] of events) {
    for (const [name, kind] of Object.entries(fields)) {
      const field = `${event}.${name}`;
      expect(['choice', 'form', 'count', 'flag'], field).toContain(kind.type);
      expect(kind.most, field).toBeLessThanOrEqual(kind.type === 'form' || kind.type === 'choice' ? 120 : Number.MAX_SAFE_INTEGER);
      if (kind.type === 'form') expect(kind.fits('a'.repeat(kind.most + 1)), field).toBe(false);
    }
  }
});

const sentences = [
  'The patient has diabetes.',
  'Chest pain',
  'patient has diabetes',
  'a b',
  ' leading',
  'trailing ',
  'line\nbreak',
  'code\n',
  '\ncode',
  'tab\tin',
  'quote"in',
  'back\\slash',
  'Ünïcode',
  '\u0000',
  '\u2028',
  '{"json":1}',
  '',
];

test('no field of any event takes a sentence, a blank, a quote, a line end or a letter beyond ASCII', () => {
  for (const [event, fields] of events) {
    for (const [name, kind] of Object.entries(fields)) {
      for (const text of sentences) expect(kind.fits(text), `${event}.${name} takes ${JSON.stringify(text)}`).toBe(false);
    }
  }
});

/** Alone, in front of and behind what would fit. */
test('a random text in any field of any event is refused, unless it is an id without a blank; the error does not quote it', () => {
  const marked = anyEvent.chain((event) => {
    const names = Object.keys(event).filter((name) => name !== 'event');
    return fc.record({
      event: fc.constant(event),
      name: fc.constantFrom(...names, 'note'),
      text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }),
    });
  });
  fc.assert(
    fc.property(marked, fc.constantFrom('', 'marker ', 'MARKER: '), ({ event, name, text }, prefix) => {
      const value = prefix + text;
      const changed = { ...event, [name]: value } as unknown as AuditEvent;
      try {
        checkEvent(changed);
      } catch (error) {
        expect(error).toBeInstanceOf(EventError);
        if (value.length > 30) expect((error as Error).message).not.toContain(value);
        return;
      }
      expect(name).not.toBe('note');
      expect(prefix).toBe('');
      expect(value).toMatch(/^[A-Za-z0-9._:/,+=-]{1,120}$/);
    }),
    { numRuns: 3000, seed: 1 },
  );
});

test('other types than the field has are refused', () => {
  const others = [undefined, null, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, [], {}, ['admin'], new String('admin'), Symbol('x'), 1n];
  fc.assert(
    fc.property(anyEvent, fc.constantFrom(...others), fc.nat(), (event, other, pick) => {
      const fields = Object.entries(eventTable[event.event] as Fields);
      if (fields.length === 0) return;
      const [name, kind] = fields[pick % fields.length]!;
      const changed = { ...event, [name]: other } as unknown as AuditEvent;
      if (other === undefined && kind.isOptional) expect(() => checkEvent(changed)).not.toThrow();
      else expect(() => checkEvent(changed)).toThrow(EventError);
    }),
    { numRuns: 1000, seed: 2 },
  );
});

test('a record is the canonical form of RFC 8785, and is read as what it was', () => {
  fc.assert(
    fc.property(anyPlaced, ({ place, event }) => {
      const text = encodeRecord(place, event as AuditEvent);
      expect(text).toBe(canonicalize({ ...place, ...event } as unknown as Parameters<typeof canonicalize>[0]));
      expect(decodeRecord(text)).toEqual({ ...place, ...event });
    }),
    { numRuns: 2000, seed: 3 },
  );
});

// The golden logs are from before records said how a holder was known.
test('records of an older form are read', () => {
  const segments = [...readLog('plain')].filter(([name]) => name.endsWith('.log'));
  const frames = segments.flatMap(([, bytes]) => listFrames(bytes)).filter(({ isRecord }) => isRecord);
  const intents = frames.map(({ bytes }) => decodeRecord(Buffer.from(bytes.subarray(5, -8)).toString())).filter(({ event }) => event === 'intent');
  expect(intents.length).toBeGreaterThan(3);
  for (const intent of intents) expect(intent).not.toHaveProperty('known');
});

test('every event has been tried', () => {
  const names = new Set(fc.sample(anyEvent, { numRuns: 5000, seed: 4 }).map(({ event }) => event));
  expect(names.size).toBe(events.length);
});

const place: Place = { seq: 1, time: 2, up: 3, boot: '6a2f1b1e-9c1d-4d1e-8a53-0d6e5a3b7c11', host: '0123456789abcdef' };

test('an unknown event and an unknown field are refused, also those that every object has', () => {
  for (const event of ['nothing', 'toString', '__proto__', 'constructor', '']) {
    expect(() => encodeRecord(place, { event } as unknown as AuditEvent)).toThrow('no such event');
  }
  for (const name of ['note', 'constructor', 'seq', 'time', 'host']) {
    expect(() => checkEvent({ event: 'gate_closed', [name]: 1 } as unknown as AuditEvent), name).toThrow('a field that it does not know');
  }
});

test('a text that is no record in its canonical form is refused', () => {
  const good = encodeRecord(place, { event: 'gate_closed' });
  expect(good).toBe('{"boot":"6a2f1b1e-9c1d-4d1e-8a53-0d6e5a3b7c11","event":"gate_closed","host":"0123456789abcdef","seq":1,"time":2,"up":3}');
  const bad = [
    ...[
      '',
      'null',
      '[]',
      '1',
      '"x"',
      '{}',
      '{',
      `${good} `,
      ` ${good}`,
      `${good}\n`,
      good.replace('"seq":1', '"seq":1.0'),
      good.replace('"seq":1', '"seq":-1'),
    ],
    ...[good.replace('"seq":1', '"seq":"1"'), good.replace('gate_closed', 'gate_\\u0063losed'), good.replace('"up":3', '"up":3,"zzz":1')],
    ...[good.replace('"boot"', '"host"'), good.replace(',"up":3', ''), good.replace('"time":2,"up":3', '"up":3,"time":2')],
  ];
  for (const text of bad) expect(() => decodeRecord(text), text).toThrow(EventError);
});

test('buckets are powers of two that are not below the number, and more than half of them is used', () => {
  for (const [value, bucket] of [
    ...[
      [0, 0],
      [0.4, 0],
      [1, 1],
      [1.2, 2],
      [2, 2],
      [3, 4],
      [4, 4],
      [5, 8],
      [1023, 1024],
      [1024, 1024],
      [1025, 2048],
    ],
    ...[
      [2 ** 39 + 1, 2 ** 40],
      [2 ** 40, 2 ** 40],
      [2 ** 40 + 1, 2 ** 40],
      [2 ** 60, 2 ** 40],
      [-1, 0],
    ],
  ] as const) {
    expect(toBucket(value), String(value)).toBe(bucket);
  }
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), (value) => {
      const bucket = toBucket(value);
      expect(Number.isInteger(Math.log2(bucket))).toBe(true);
      expect(bucket).toBeGreaterThanOrEqual(value);
      expect(bucket / 2).toBeLessThan(value);
    }),
    { seed: 5 },
  );
});

test('identifiers are told by category and power of two, and by nothing else', () => {
  const outcomeWith = (found: Counts | undefined): EventOf<'outcome'> =>
    describeOutcome('6f2c9d3e-0b1a-4c5d-8e7f-1234567890ab', { promptTokens: 1, completionTokens: 1, ending: 'stop', found }, 1, { status: 200 });
  const told = (found: Counts | undefined): object => Object.fromEntries(Object.entries(outcomeWith(found)).filter(([name]) => name.startsWith('found')));
  expect(told({ DATE: 5, NAME: 2, OTHER_ID: 1 })).toEqual({ found: 8, foundDate: 8, foundName: 2, foundOtherId: 1 });
  expect(told({})).toEqual({ found: 0 });
  expect(told(undefined)).toEqual({});
  const all = outcomeWith(Object.fromEntries(categories.map((category) => [category, 2 ** 41])));
  expect(Object.keys(all).filter((name) => name.startsWith('found'))).toHaveLength(19);
  for (const event of [outcomeWith({ DATE: 5, NAME: 2 }), outcomeWith({}), outcomeWith(undefined), all]) checkEvent(event);
  for (const value of ['Smith', -1, 1.5]) expect(() => checkEvent({ ...outcomeWith({}), foundName: value as number })).toThrow(EventError);
});
