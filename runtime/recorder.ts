/**
 * Owns the times of requests and steps: how long each part took and how requests ended, as counts and sums. Stands between the
 * scheduler and the readers, so that the scheduler knows nothing of it. Refuses everything but times and kinds of ends: no token is looked at.
 */
import type { InwardError } from './errors.ts';
import { firstTokenBounds, Histogram, requestBounds, tokenBounds } from './histogram.ts';
import type { SequenceSink } from './scheduling/sequence.ts';
import type { EngineStats, TokenEvent } from './types.ts';

type Clock = () => number;
type Ending = keyof EngineStats['finished'];
type StepPart = keyof EngineStats['stepMs'];

/** What all requests of an engine add to. */
class Totals {
  readonly timeToFirstToken: Histogram = new Histogram(firstTokenBounds);
  readonly interTokenLatency: Histogram = new Histogram(tokenBounds);
  readonly endToEnd: Histogram = new Histogram(requestBounds);
  readonly queueTime: Histogram = new Histogram(requestBounds);
  readonly finished: Record<Ending, number> = { stop: 0, length: 0, failed: 0, cancelled: 0 };
  readonly stepMs: Record<StepPart, number> = { schedule: 0, submit: 0, wait: 0, commit: 0 };
}

/** The sink of one sequence: notes when something happens to it and hands it on. */
export class RequestRecord implements SequenceSink {
  readonly #sink: SequenceSink;
  readonly #totals: Totals;
  readonly #now: Clock;
  readonly #arrivedAt: number;
  #tokenAt: number | undefined;
  #isAdmitted = false;
  #hasEnded = false;

  constructor(sink: SequenceSink, totals: Totals, now: Clock) {
    this.#sink = sink;
    this.#totals = totals;
    this.#now = now;
    this.#arrivedAt = now();
  }

  /** It takes part in a step; only the first one counts, also after a preemption. */
  admitted(): void {
    if (this.#isAdmitted) return;
    this.#isAdmitted = true;
    this.#totals.queueTime.observe(this.#secondsHere());
  }

  event(event: TokenEvent): void {
    if (event.type === 'token') this.#token();
    else if (event.type === 'end') this.ended(event.reason);
    this.#sink.event(event);
  }

  fail(error: InwardError): void {
    this.ended('failed');
    this.#sink.fail(error);
  }

  /** Only the first end counts: a cancelled sequence may still be failed before it is dropped. */
  ended(ending: Ending): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#totals.finished[ending]++;
    if (ending === 'stop' || ending === 'length') this.#totals.endToEnd.observe(this.#secondsHere());
  }

  #token(): void {
    const { timeToFirstToken, interTokenLatency } = this.#totals;
    const now = this.#now();
    if (this.#tokenAt === undefined) timeToFirstToken.observe((now - this.#arrivedAt) / 1000);
    else interTokenLatency.observe((now - this.#tokenAt) / 1000);
    this.#tokenAt = now;
  }

  #secondsHere(): number {
    return (this.#now() - this.#arrivedAt) / 1000;
  }
}

export class Recorder {
  readonly #now: Clock;
  readonly #totals = new Totals();

  /** `now`: a clock in ms that never goes back, whatever happens to the date. */
  constructor(now: Clock = () => performance.now()) {
    this.#now = now;
  }

  /** A request has come; its sequence gets the record as its sink. */
  arrived(sink: SequenceSink): RequestRecord {
    return new RequestRecord(sink, this.#totals, this.#now);
  }

  /** A part of a step took `ms`. */
  spent(part: StepPart, ms: number): void {
    this.#totals.stepMs[part] += ms;
  }

  read(): Pick<EngineStats, 'histograms' | 'finished' | 'stepMs'> {
    const { timeToFirstToken, interTokenLatency, endToEnd, queueTime, finished, stepMs } = this.#totals;
    return {
      histograms: {
        timeToFirstToken: timeToFirstToken.read(),
        interTokenLatency: interTokenLatency.read(),
        endToEnd: endToEnd.read(),
        queueTime: queueTime.read(),
      },
      finished: { ...finished },
      stepMs: { ...stepMs },
    };
  }
}
