// Layer 1. How far a transfer is, in one line for a person. Pure: the time is passed in.

/** The rate is that of this long. */
const WINDOW_MS = 4000;
/** One sample of each such span is kept. */
const SAMPLE_MS = 200;
/** A rate over less than this would be noise. */
const MIN_SPAN_MS = 500;
const MAX_LABEL_COLUMNS = 30;
/** What is left of a shorter one tells nothing. */
const MIN_LABEL_COLUMNS = 4;
/** More time left than this is a guess that helps nobody. */
const MAX_LEFT_MS = 100 * 3_600_000;
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
const GAP = '  ';
/** Two columns each, as terminals commonly show them. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

interface Sample {
  readonly at: number;
  readonly done: number;
}

export class Progress {
  readonly #label: string;
  total: number | undefined;
  /** Bytes, with those that were there before. */
  done = 0;
  /** Shown instead of rate and time left. */
  note: string | undefined;
  /** By time; the first is what the rate is measured from, the last is up to date. */
  #samples: Sample[];

  constructor(label: string, now: number) {
    this.#label = shorten(label, MAX_LABEL_COLUMNS);
    this.#samples = [{ at: now, done: 0 }];
  }

  /** A start, or a new start: the rate is measured from here. */
  begin(total: number, done: number, now: number): void {
    this.total = total;
    this.done = done;
    this.#samples = [{ at: now, done }];
  }

  advance(bytes: number, now: number): void {
    this.done += bytes;
    const sample = { at: now, done: this.done };
    const [before, last] = this.#samples.slice(-2);
    if (before && last && last.at - before.at < SAMPLE_MS) this.#samples[this.#samples.length - 1] = sample;
    else this.#samples.push(sample);
    this.#forget(now);
  }

  /** In so many columns: what matters least is left out, and what is there is whole. */
  line(now: number, room = Number.POSITIVE_INFINITY): string {
    const rate = this.#rate(now);
    const pace = this.note === undefined ? [`${formatBytes(rate)}/s`, ...this.#left(rate)] : [this.note];
    const share = this.#share();
    const fields = [...share, this.#amount(), ...pace];
    while (fields.length > share.length && columns([this.#label, ...fields].join(GAP)) > room) fields.pop();
    const labelRoom = room - columns(['', ...fields].join(GAP));
    if (labelRoom < MIN_LABEL_COLUMNS) return fields.join(GAP);
    return [shorten(this.#label, labelRoom), ...fields].join(GAP);
  }

  /** Bytes in a second, lately. */
  #rate(now: number): number {
    this.#forget(now);
    const [base] = this.#samples;
    return base ? ((this.done - base.done) * 1000) / Math.max(MIN_SPAN_MS, now - base.at) : 0;
  }

  /** Keeps one sample from before the window. */
  #forget(now: number): void {
    const kept = this.#samples.findLastIndex(({ at }) => at <= now - WINDOW_MS);
    if (kept > 0) this.#samples.splice(0, kept);
  }

  /** Not 100 before all is there. */
  #share(): string[] {
    if (this.total === undefined) return [];
    const percent = this.done >= this.total ? 100 : Math.min(99, Math.floor((this.done / this.total) * 100));
    return [`${String(percent).padStart(3)} %`];
  }

  #amount(): string {
    const done = formatBytes(this.done);
    if (this.total === undefined) return done;
    const total = formatBytes(this.total);
    const [number, unit] = done.split(' ');
    return `${total.endsWith(` ${unit}`) ? number : done}/${total}`;
  }

  #left(rate: number): string[] {
    if (this.total === undefined || this.done >= this.total || rate <= 0) return [];
    const ms = Math.ceil((this.total - this.done) / rate) * 1000;
    return ms < MAX_LEFT_MS ? [`${formatDuration(ms)} left`] : [];
  }
}

/** In decimal units, with three digits at most. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1000;
  return `${value.toFixed(decimals(value, unit))} ${UNITS[unit]}`;
}

/** Hundredths only of the large units, and no digits that rounding would make a fourth of. */
function decimals(value: number, unit: number): number {
  if (unit === 0 || value >= 99.95) return 0;
  return unit >= 3 && value < 9.995 ? 2 : 1;
}

/** Minutes and seconds, and hours if there are any. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const rest = String(seconds % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/** Without its middle, if it is long: name's end and sender are what tells it from others. */
function shorten(label: string, most: number): string {
  if (columns(label) <= most) return label;
  const chars = [...label];
  const tail: string[] = [];
  while (columns(tail) < most / 2) tail.unshift(chars.pop() ?? '');
  while (columns(chars) + columns(tail) >= most) chars.pop();
  return `${chars.join('')}…${tail.join('')}`;
}

/** How many of them these take on a screen. */
function columns(chars: Iterable<string>): number {
  let sum = 0;
  for (const char of chars) sum += /\p{M}|\p{Cf}/u.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return sum;
}
