/**
 * `npm run soak`: mixed requests with random cancels through an engine process, or the same while that process is killed again and again. Every token
 * is judged. What is asked: bench/README.md. A bound that is broken is exit code 1.
 */

import { basename } from 'node:path';
import type { DeviceName } from '../../runtime/index.ts';
import { startProgress } from '../../scripts/progress.mjs';
import { ensureDevice } from '../../scripts/setup/index.ts';
import { readVersion } from '../../server/privacy/version.ts';
import { findModel } from '../model.ts';
import { joinSeeds } from '../serve/random.ts';
import { type ClientOptions, createTally, runClients, type Tally } from './clients.ts';
import { killAgain } from './crashes.ts';
import { atLeast, countEvents, judgeEnds, judgeGrowth, judgeMemory, judgeRest, type SoakRecord } from './judge.ts';
import { type Known, learnAnswers, plainOptions } from './known.ts';
import { parseSoakOptions, type SoakOptions } from './options.ts';
import { planTurns, type Turn } from './plan.ts';
import { formatSoak } from './report.ts';
import { openSubject, rest, type Subject } from './subject.ts';

/** Requests after which memory is read first, and the least for it to be judged. */
const firstRequests = 200;
const judgedRequests = 1000;

/** Runs and prints. Throws InwardError and commander's CommanderError. */
export async function main(args: readonly string[]): Promise<void> {
  const options = parseSoakOptions(args);
  const device = (await ensureDevice(options.device)).name;
  const model = await findModel(options.model);
  const known = await learn(model, device, options.seed);
  const started = performance.now();
  await using subject = await openSubject(model, device);
  const measured = options.crashes > 0 ? await crash(subject, known, options) : await soak(subject, known, options);
  const version = readVersion();
  const record: SoakRecord = {
    ...{ date: new Date().toISOString().slice(0, 10), version, device, model: basename(model), seed: options.seed, clients: options.clients },
    seconds: Math.round((performance.now() - started) / 1000),
    ...measured,
  };
  console.log(`${formatSoak(record).join('\n')}\n${JSON.stringify(record)}`);
  if (record.bounds.some(({ isMet }) => isMet === false)) process.exitCode = 1;
}

async function learn(model: string, device: DeviceName, seed: number): Promise<Known[]> {
  await using plain = await openSubject(model, device, plainOptions);
  const progress = startProgress('Answers to expect');
  const known = await learnAnswers(plain.engine, seed, progress.update);
  progress.end('done');
  return known;
}

type Measured = Pick<SoakRecord, 'ends' | 'codes' | 'counts' | 'resident' | 'bounds'>;

async function soak(subject: Subject, known: readonly Known[], { requests, seed, ...options }: SoakOptions): Promise<Measured> {
  const { engine } = subject;
  const tally = createTally();
  const progress = startProgress(`${requests} requests`);
  let done = 0;
  const clients = { ...clientOptions(options), onEnd: () => progress.update(++done / requests) };
  const turns = planTurns(known, seed);
  await runClients(engine, takeRequests(turns, Math.min(firstRequests, requests / 2)), tally, clients);
  const first = { ...(await rest(subject)), stats: engine.stats() };
  await runClients(engine, takeRequests(turns, requests - done), tally, clients);
  const { resident: last } = await rest(subject);
  const kept = engine.stats();
  const ended = await judgeEmptied(subject, tally, 0);
  progress.end('done');
  const bounds = [
    atLeast('requests', done, requests),
    ...ended,
    judgeMemory(first.stats, kept),
    ...judgeGrowth(first.resident, last, requests >= judgedRequests),
  ];
  return { ...summary(tally, subject), resident: { first: first.resident, last }, bounds };
}

async function crash(subject: Subject, known: readonly Known[], { crashes, seed, ...options }: SoakOptions): Promise<Measured> {
  const tally = createTally();
  const progress = startProgress(`${crashes} crashes`);
  let isOver = false;
  const killing = killAgain(subject, crashes, joinSeeds(seed, 5), (done) => progress.update(done / crashes)).finally(() => (isOver = true));
  await runClients(
    subject.engine,
    takeWhile(planTurns(known, seed), () => !isOver),
    tally,
    clientOptions(options),
  );
  const hasKilled = await killing;
  const ended = await judgeEmptied(subject, tally, crashes);
  progress.end('done');
  const bounds = [
    atLeast('kills after which another process took over', hasKilled ? crashes : subject.engine.stats().restarts, crashes),
    atLeast('requests that were hit', tally.ends.restarted, 1),
    atLeast('whole answers', tally.ends.complete, 1),
    ...ended,
  ];
  return { ...summary(tally, subject), resident: null, bounds };
}

const clientOptions = ({ clients, timeout }: Pick<SoakOptions, 'clients' | 'timeout'>): ClientOptions => ({ clients, limitMs: timeout * 1000 });

function summary(tally: Tally, { engine }: Subject): Pick<Measured, 'ends' | 'codes' | 'counts'> {
  return { ends: tally.ends, codes: [...tally.codes], counts: countEvents(tally, engine.stats()) };
}

/** Without kept prefixes nothing at all may be left. */
async function judgeEmptied(subject: Subject, tally: Tally, restarts: number): Promise<SoakRecord['bounds']> {
  subject.engine.flushPrefixes();
  const { words: _, ...residue } = (await rest(subject)).residue;
  const left = Object.values(residue).reduce((sum, count) => sum + count);
  const stats = subject.engine.stats();
  return [...judgeEnds(tally, restarts, stats), ...judgeRest(stats, left)];
}

/** Turns until they hold so many requests; the last may hold more. */
function* takeRequests(turns: Iterator<Turn>, count: number): Generator<Turn> {
  for (let taken = 0; taken < count; ) {
    const { value } = turns.next();
    taken += value.length;
    yield value;
  }
}

function* takeWhile(turns: Iterable<Turn>, goesOn: () => boolean): Generator<Turn> {
  for (const turn of turns) {
    if (!goesOn()) return;
    yield turn;
  }
}
