// Layer 0. The log: one line for each event on stderr, for people (`text`) or for programs (`json`).
// What peers can cause without end is limited: each event at most BURST lines in a while. How many more
// there were is told when the event comes again after that; those of the last burst are not told. What
// operators do is told in full.
// Pure: where lines go and what time it is are handed in.

export const LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type Level = (typeof LEVELS)[number];
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;
/** `event` is a stable word or two; what varies stands in the fields. */
export type Log = (level: Level, event: string, fields?: Fields) => void;

/** Something was thrown that is no refusal: with its stack. */
export function logBug(log: Log, error: unknown, fields: Fields = {}): void {
  log('error', 'bug', { ...fields, stack: stackOf(error) });
}

export function stackOf(error: unknown): string {
  return (error as Error)?.stack ?? String(error);
}

export interface LogOptions {
  readonly level: Level;
  readonly format: 'text' | 'json';
  readonly write: (line: string) => void;
  readonly now: () => Date;
}

const BURST = 20;
const WHILE_MS = 10_000;
const IN_FULL: readonly string[] = ['operator'];

export function createLog({ level, format, write, now }: LogOptions): Log {
  const wanted = LEVELS.indexOf(level);
  const line = format === 'json' ? jsonLine : textLine;
  const seen = new Map<string, { since: number; count: number }>();

  return (at, event, fields = {}) => {
    if (LEVELS.indexOf(at) > wanted) return;
    const time = now();
    if (at === 'debug' || IN_FULL.includes(event)) return write(line(time, at, event, fields));
    let window = seen.get(event);
    if (!window || time.getTime() - window.since > WHILE_MS) {
      const hidden = (window?.count ?? 0) - BURST;
      if (hidden > 0) write(line(time, 'info', 'repeated', { event, hidden }));
      window = { since: time.getTime(), count: 0 };
      seen.set(event, window);
    }
    if (window.count++ < BURST) write(line(time, at, event, fields));
  };
}

function jsonLine(time: Date, level: Level, event: string, fields: Fields): string {
  return JSON.stringify({ time: time.toISOString(), level, event, ...fields });
}

function textLine(time: Date, level: Level, event: string, fields: Fields): string {
  let text = `${time.toISOString()} ${level.padEnd(5)} ${event}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) text += ` ${name}=${plain(String(value))}`;
  }
  return text;
}

/** A peer's text can't forge a line or move the cursor: quoted unless it is one plain word. */
function plain(value: string): string {
  return /^[\w.:/+@~[\]-]+$/.test(value) ? value : JSON.stringify(value).replace(/[\x7f-\x9f]/g, '?');
}
