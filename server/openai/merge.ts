/**
 * Owns the running of several sources, so many at the same time, given on as one, in the order in which their items come.
 * Takes the next item of a source only when the one before was taken from here: a slow reader slows them all down, and
 * nothing is lost or reordered within a source. The first failure ends all of them.
 */
export interface Merged<T> {
  readonly index: number;
  readonly item: T;
}

type Source<T> = AsyncGenerator<T, void, undefined>;

/** All items of the sources that `open` gives, `limit` of them running; they must end soon after the signal they got has aborted. */
export async function* merge<T>(
  open: (signal: AbortSignal) => readonly Source<T>[],
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<Merged<T>, void, undefined> {
  const leaving = new AbortController();
  const sources = open(AbortSignal.any([signal, leaving.signal]));
  const arrivals: { readonly index: number; readonly next: IteratorResult<T, void> }[] = [];
  let failure: { readonly error: unknown } | undefined;
  let wake = (): void => undefined;
  const pull = (index: number): void => {
    sources[index]
      ?.next()
      .then(
        (next) => void arrivals.push({ index, next }),
        (error) => void (failure ??= { error }),
      )
      .then(() => wake());
  };
  let started = 0;
  while (started < Math.min(limit, sources.length)) pull(started++);
  try {
    for (let left = sources.length; left > 0; ) {
      // Before what has arrived: a request that cannot be served whole is refused as a whole.
      if (failure !== undefined) throw failure.error;
      const arrival = arrivals.shift();
      if (arrival === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else if (arrival.next.done) {
        left--;
        pull(started++);
      } else {
        yield { index: arrival.index, item: arrival.next.value };
        pull(arrival.index);
      }
    }
  } finally {
    // A generator that waits sees return() only when its wait is over.
    leaving.abort();
    await Promise.allSettled(sources.map((source) => source.return()));
  }
}
