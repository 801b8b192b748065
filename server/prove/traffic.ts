/**
 * Owns the sending: every route with every case of cases.ts, one request after the other, what is kept of the answers, which is counts, and
 * the claims about them. Refuses to keep an answer.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { type RoutePattern, routePatterns } from '../privacy/words.ts';
import { bodyCases, type Case, commonCases, createRequest, type Limits, type Sent } from './cases.ts';
import type { Bytes } from './checks/texts.ts';
import { type Finding, judge, type Place } from './claims.ts';
import type { Markers } from './markers.ts';

export interface TrafficOptions {
  readonly url: string;
  /** Bearer tokens: of a program, and of a person who may see metrics and state. */
  readonly key: string;
  readonly auditor: string;
  /** What that key is used for, where it may be used for several purposes. */
  readonly purpose?: string | undefined;
  /** Requests of a route at least; every case is sent once anyway. */
  readonly requests: number;
  readonly limits: Limits;
  readonly markers: Markers;
  /** A marker that every computed prompt begins with. */
  readonly known: string;
  readonly onProgress: (done: number, total: number) => void;
}

/** What is remembered of an answer. */
interface Answer {
  readonly status: number;
  readonly isForgotten: boolean;
  readonly quotes: boolean;
}

export interface RouteCount {
  readonly route: Exclude<RoutePattern, '(unknown)'>;
  readonly requests: number;
  /** `left`: the client went away, or the connection was cut, before there was a whole answer. */
  readonly statuses: Readonly<Record<string, number>>;
}

export interface Flaw {
  readonly route: RoutePattern;
  readonly case: string;
  readonly status: number;
}

export interface Traffic {
  readonly routes: readonly RouteCount[];
  readonly requests: number;
  readonly answers: number;
  /** Names of all cases. */
  readonly cases: readonly string[];
  /** Answers without `cache-control: no-store`. */
  readonly stored: readonly Flaw[];
  /** Refusals that quote a marker. */
  readonly quoting: readonly Flaw[];
}

const isComputing = (route: RoutePattern): boolean => createRequest(route, '', () => '', '').method === 'POST';
const isForPeople = (route: RoutePattern): boolean => route.startsWith('/inward/') || route === '/metrics';
/** No answer takes longer, in ms. */
const answerLimitMs = 300_000;

/** Sends everything. */
export async function sendTraffic(options: TrafficOptions): Promise<Traffic> {
  const { requests, onProgress } = options;
  const plans = routePatterns.map((route) => {
    const cases = isComputing(route) ? [...commonCases, ...bodyCases] : commonCases;
    return { route, cases, count: Math.max(requests, cases.length) };
  });
  const total = plans.reduce((sum, { count }) => sum + count, 0);
  const [stored, quoting, routes]: [Flaw[], Flaw[], RouteCount[]] = [[], [], []];
  let [done, answers] = [0, 0];
  for (const { route, cases, count } of plans) {
    const statuses: Record<string, number> = {};
    for (let index = 0; index < count; index++) {
      const one = cases[index % cases.length] as Case;
      const answer = await sendCase(route, one, options);
      const status = answer === undefined ? 'left' : String(answer.status);
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (answer !== undefined) {
        answers++;
        const flaw = { route, case: one.name, status: answer.status };
        if (!answer.isForgotten) stored.push(flaw);
        if (answer.quotes) quoting.push(flaw);
      }
      onProgress(++done, total);
    }
    routes.push({ route, requests: count, statuses });
  }
  await sendNonsense(options);
  await sendPieces(options);
  return { routes, requests: total + 1 + connectionsInPieces, answers, cases: [...commonCases, ...bodyCases].map(({ name }) => name), stored, quoting };
}

function sendCase(route: RoutePattern, { make }: Case, options: TrafficOptions): Promise<Answer | undefined> {
  const { url, key, auditor, purpose, limits, markers, known } = options;
  const plain = createRequest(route, `Bearer ${isForPeople(route) ? auditor : key}`, markers.next, known);
  const sent = make(markers.next, purpose === undefined ? plain : { ...plain, headers: { ...plain.headers, 'x-inward-purpose': purpose } }, limits);
  return send(url, sent, markers);
}

/** Undefined: there was no whole answer. */
function send(url: string, { method, path, headers, body, leaves }: Sent, markers: Markers): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { method, headers: { ...length, ...headers }, agent: false, signal: AbortSignal.timeout(answerLimitMs) } as const;
    const request = (url.startsWith('https:') ? httpsRequest : httpRequest)(`${url}${path}`, options, (answer) => {
      if (leaves === 'answer') answer.once('data', () => request.destroy());
      resolve(readAnswer(answer, markers));
    });
    request.on('error', () => resolve(undefined));
    if (leaves !== 'body') return void request.end(body);
    const bytes = Buffer.from(body ?? '');
    request.write(bytes.subarray(0, Math.ceil(bytes.length * 0.75)), () => setTimeout(() => request.destroy(), 20));
  });
}

async function readAnswer(answer: IncomingMessage, markers: Markers): Promise<Answer | undefined> {
  const { statusCode: status = 0, headers } = answer;
  const bytes: Buffer[] = [];
  try {
    for await (const chunk of answer) bytes.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  // A model may repeat what it was asked; a refusal may not.
  const quotes = status >= 400 && markers.countIn(Buffer.concat([...bytes, Buffer.from(JSON.stringify(headers))])) > 0;
  return { status, isForgotten: headers['cache-control'] === 'no-store', quotes };
}

/** Where the server tells its own state, to people. */
export const statePaths: readonly string[] = ['/metrics', '/inward/status'];

/** The answer to a person, as a text to be searched. Throws what `fetch` throws. */
export async function fetchBytes(url: string, path: string, token: string): Promise<Bytes> {
  const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { name: path, bytes: Buffer.from(await answer.arrayBuffer()) };
}

/** The claims about refusals and caches. */
export function judgeAnswers({ answers, quoting, stored }: Traffic): Finding[] {
  const toPlace = ({ route, case: name, status }: Flaw): Place => ({ where: `${route}: ${name}: ${status}`, process: 'server', count: 1 });
  const read = `${answers} answers were read`;
  return [
    judge('refusals', quoting.map(toPlace), `${read}; those with a status of 400 or more may hold nothing of their request.`),
    judge('cache', stored.map(toPlace), `${read}.`),
  ];
}

/** What is not HTTP. */
function sendNonsense({ url, markers }: TrafficOptions): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.end(`${markers.next()} / HTTP/7.7\r\n${markers.next()}\r\n\r\n`));
    socket.setTimeout(5000, () => socket.destroy());
    socket.on('error', () => undefined).on('close', () => resolve());
    socket.resume();
  });
}

const connectionsInPieces = 4;

/** Heads in pieces, on several connections at once; half of them are never whole. */
async function sendPieces({ url, markers }: TrafficOptions): Promise<void> {
  const { hostname, port } = new URL(url);
  const begin = (): string => `GET /${markers.next()} HTTP/1.1\r\nhost: ${hostname}\r\nx-first: ${Array.from({ length: 20 }, markers.next).join(' ')}`;
  const sockets = Array.from({ length: connectionsInPieces }, () => connect(Number(port), hostname).on('error', () => undefined));
  const pieces = [begin, () => `${markers.next()}\r\nx-second: `, () => `${markers.next()}\r\n\r\n`];
  for (const [turn, piece] of pieces.entries()) {
    for (const [index, socket] of sockets.entries()) if (turn < 2 || index % 2 === 0) socket.write(piece());
    // Two that come at once are read as one.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  for (const socket of sockets) socket.destroy();
}
