// Layer 0. Figures about a running program, and the text in which Prometheus reads them (format 0.0.4). Pure. Whoever
// counts often takes a cell beforehand: adding to it is one addition. A metric keeps a bounded number of label sets.

/** Of one metric; what has others is counted together under `other`. */
const MAX_SETS = 100;
const OTHER = 'other';

type Labels = readonly string[];
type Kind = 'counter' | 'gauge' | 'histogram';

/** One number that only grows. */
export class Cell {
  value = 0;

  add(count = 1): void {
    this.value += count;
  }
}

export class Counter {
  readonly #cells = new Map<string, { readonly values: Labels; readonly cell: Cell }>();
  readonly #names: Labels;

  constructor(names: Labels) {
    this.#names = names;
  }

  /** The cell of these label values, in the order of the labels' names. */
  at(...values: string[]): Cell {
    const key = values.join('\0');
    const known = this.#cells.get(key);
    if (known) return known.cell;
    const isOther = values.every((value) => value === OTHER);
    if (!isOther && this.#cells.size >= MAX_SETS) return this.at(...this.#names.map(() => OTHER));
    const cell = new Cell();
    this.#cells.set(key, { values, cell });
    return cell;
  }

  add(count: number, ...values: string[]): void {
    this.at(...values).add(count);
  }

  *samples(): Iterable<Sample> {
    for (const { values, cell } of this.#cells.values()) yield { values, value: cell.value };
  }
}

export class Histogram {
  readonly bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** Upper bounds, ascending. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const at = this.bounds.findIndex((bound) => value <= bound);
    const bucket = at < 0 ? this.bounds.length : at;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  /** Each bucket has those of the buckets below, too. */
  lines(name: string): string[] {
    let total = 0;
    const buckets = this.#counts.map((count, at) => {
      total += count;
      const bound = this.bounds[at];
      return `${name}_bucket{le="${bound === undefined ? '+Inf' : bound}"} ${total}`;
    });
    return [...buckets, `${name}_sum ${numberText(this.#sum)}`, `${name}_count ${total}`];
  }
}

export interface Sample {
  readonly values: Labels;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: Kind;
  lines(): string[];
}

export class Metrics {
  readonly #families: Family[] = [];

  counter(name: string, help: string, labels: Labels = []): Counter {
    const counter = new Counter(labels);
    // one without labels is there from the start
    if (labels.length === 0) counter.at();
    this.#add('counter', name, help, () => sampleLines(name, labels, counter.samples()));
    return counter;
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(bounds);
    this.#add('histogram', name, help, () => histogram.lines(name));
    return histogram;
  }

  /** Read when somebody asks; a bug in a reading is its caller's. */
  gauge(name: string, help: string, read: () => number): void {
    this.samples('gauge', name, help, [], () => [{ values: [], value: read() }]);
  }

  /** The same, for several label sets, or for a counter that somebody else keeps. */
  samples(kind: 'gauge' | 'counter', name: string, help: string, labels: Labels, read: () => Iterable<Sample>): void {
    this.#add(kind, name, help, () => sampleLines(name, labels, read()));
  }

  text(): string {
    const parts = this.#families.map(({ name, help, kind, lines }) =>
      [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${kind}`, ...lines()]
        .map((line) => `${line}\n`)
        .join(''),
    );
    return parts.join('');
  }

  #add(kind: Kind, name: string, help: string, lines: () => string[]): void {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new RangeError(`${name} is no name for a metric`);
    if (this.#families.some((one) => one.name === name)) throw new RangeError(`there is a metric ${name} already`);
    this.#families.push({ name, help, kind, lines });
  }
}

function sampleLines(name: string, labels: Labels, samples: Iterable<Sample>): string[] {
  return Array.from(samples, ({ values, value }) => {
    const pairs = labels.map((label, at) => `${label}="${quoted(values[at] ?? '')}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numberText(value)}`;
  });
}

function quoted(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
