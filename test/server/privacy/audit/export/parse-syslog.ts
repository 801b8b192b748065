/** Owns a strict parser of one message of syslog, letter by letter after the grammar of RFC 5424, section 6. Throws what is wrong. */

export interface Message {
  readonly facility: number;
  readonly severity: number;
  readonly version: number;
  readonly timestamp: string;
  readonly host: string;
  readonly application: string;
  readonly process: string;
  readonly id: string;
  readonly data: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly message: string | undefined;
}

export function parseSyslog(text: string): Message {
  const { take, takeData, takeRest } = createReader(text);
  take(/</y, 'PRI');
  const priority = Number(take(/0|[1-9]\d{0,2}/y, 'PRIVAL'));
  if (priority > 191) throw new Error('PRIVAL is beyond 191');
  take(/>/y, 'PRI');
  const version = Number(take(/[1-9]\d{0,2}/y, 'VERSION'));
  const field = (limit: number, what: string): string => take(/ /y, 'SP') && take(new RegExp(`[\\x21-\\x7e]{1,${limit}}`, 'y'), what);
  take(/ /y, 'SP');
  const timestamp = take(
    /-|\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)/y,
    'TIMESTAMP',
  );
  const [host, application, process, id] = [field(255, 'HOSTNAME'), field(48, 'APP-NAME'), field(128, 'PROCID'), field(32, 'MSGID')];
  take(/ /y, 'SP');
  return { facility: priority >> 3, severity: priority & 7, version, timestamp, host, application, process, id, data: takeData(), message: takeRest() };
}

interface Reader {
  take(pattern: RegExp, what: string): string;
  takeData(): Map<string, Map<string, string>>;
  takeRest(): string | undefined;
}

function createReader(text: string): Reader {
  let at = 0;
  /** What a sticky pattern finds here. */
  const take = (pattern: RegExp, what: string): string => {
    pattern.lastIndex = at;
    const [found] = pattern.exec(text) ?? [];
    if (found === undefined) throw new Error(`${what} expected at ${at}`);
    at += found.length;
    return found;
  };
  const name = (what: string): string => take(/[\x21\x23-\x3c\x3e-\x5c\x5e-\x7e]{1,32}/y, what);

  const takeElement = (data: Map<string, Map<string, string>>): void => {
    take(/\[/y, '[');
    const id = name('SD-ID');
    if (data.has(id)) throw new Error('SD-ID twice');
    const parameters = new Map<string, string>();
    data.set(id, parameters);
    while (text[at] === ' ') {
      take(/ /y, 'SP');
      const key = name('PARAM-NAME');
      if (parameters.has(key)) throw new Error('PARAM-NAME twice');
      take(/="/y, '="');
      parameters.set(key, take(/(?:[^"\\\]]|\\["\\\]])*/y, 'PARAM-VALUE').replace(/\\(["\\\]])/g, '$1'));
      take(/"/y, '"');
    }
    take(/\]/y, ']');
  };
  const takeData = (): Map<string, Map<string, string>> => {
    const data = new Map<string, Map<string, string>>();
    if (text[at] === '-') take(/-/y, 'NILVALUE');
    else
      do takeElement(data);
      while (text[at] === '[');
    return data;
  };
  const takeRest = (): string | undefined => {
    if (at === text.length) return undefined;
    take(/ /y, 'SP');
    return text.slice(at);
  };
  return { take, takeData, takeRest };
}
