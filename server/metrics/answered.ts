/**
 * Owns counts of what the server has answered. It counts the log's records, which are closed: no path, header or body can get into it.
 */
import type { Log, LogRecord } from '../log.ts';
import type { Ending } from '../openai/answers.ts';
import { type RoutePattern, routePatterns } from '../privacy/words.ts';

/** `aborted`: the client went away before the answer was complete. */
const outcomes = ['2xx', '3xx', '4xx', '5xx', 'aborted'] as const;
type Outcome = (typeof outcomes)[number];

export class AnswerCounts {
  /** Requests by route and outcome; all of them are there from the start. */
  readonly requests: ReadonlyMap<RoutePattern, Record<Outcome, number>> = new Map(
    [...routePatterns, '(unknown)' as const].map((route) => [route, { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, aborted: 0 }]),
  );
  /** Choices of answers by how they ended. */
  readonly choices: Record<Ending, number> = { stop: 0, length: 0, abort: 0, error: 0 };
  /** Connections that broke, sent what is no HTTP, or failed in the handshake of TLS. */
  brokenConnections = 0;

  /** A log that is counted on its way to `log`. */
  watch(log: Log): Log {
    return (record) => {
      this.#count(record);
      log(record);
    };
  }

  #count(record: LogRecord): void {
    if (record.event === 'connection_refused') this.brokenConnections++;
    if (record.event !== 'request') return;
    const counts = this.requests.get(record.route);
    const outcome = record.finished ? outcomes.find((name) => name[0] === String(record.status)[0]) : 'aborted';
    if (counts !== undefined && outcome !== undefined) counts[outcome]++;
  }
}
