// Layer 4. What the server counts, by name; and the store as the house sees it, with a watch on it. Posts are counted
// once each, never once for each of those who hear them.

import type { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Post } from './events.ts';
import { type Cell, Metrics, type Sample } from './metrics.ts';
import type { Store } from './store-contract.ts';
import { VERSION } from './version.ts';

/** Seconds. A group is written every few milliseconds; a busy disk takes tenths. */
const STORE_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const DELAY_QUANTILES = [0.5, 0.9, 0.99, 1];
const DELAY_RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

/** What is read of the connections when somebody asks. */
export interface ConnectionFigures {
  readonly byDialect: Iterable<readonly [dialect: string, count: number]>;
  /** Written by us, and not taken by the system yet: of all, and of the one with the most. */
  readonly waitingBytes: number;
  readonly mostWaitingBytes: number;
}

/** What is read of the files that are kept. */
export interface UploadFigures {
  readonly files: number;
  readonly bytes: number;
}

export class ServerMetrics {
  readonly #metrics = new Metrics();
  readonly #connected = this.#metrics.counter(
    'parley_connections_total',
    'TCP connections whose dialect became known, by dialect and whether they came through TLS.',
    ['dialect', 'tls'],
  );
  readonly #datagrams = this.#metrics.counter('parley_datagrams_total', 'Datagrams that were taken, by dialect.', [
    'dialect',
  ]);
  readonly #repeats = this.#metrics
    .counter('parley_retransmissions_total', 'Datagrams that were sent again for want of an acknowledgement.')
    .at();
  readonly #posts = this.#metrics.counter('parley_messages_total', 'Messages said in rooms, by dialect of who spoke.', [
    'dialect',
  ]);
  readonly #mail = this.#metrics.counter('parley_mail_total', 'Messages to one person that were kept for later.').at();
  readonly #rejects = this.#metrics.counter(
    'parley_rejects_total',
    'Connections, datagrams and requests that were turned away or dropped, by reason.',
    ['reason'],
  );
  readonly #transfers = this.#metrics.counter('parley_transfers_total', 'Files asked for over HTTP, by outcome.', [
    'outcome',
  ]);
  readonly #uploads = this.#metrics.counter('parley_uploads_total', 'Files that were brought to be kept, by outcome.', [
    'outcome',
  ]);
  readonly #uploadBytes = this.#metrics.counter(
    'parley_upload_bytes_total',
    'Bytes of files that are kept, or were to be: those that came in, and those that went out.',
    ['direction'],
  );
  readonly #storeSeconds = this.#metrics.histogram(
    'parley_store_seconds',
    'From handing a message to the store until it is on disk.',
    STORE_BOUNDS,
  );
  readonly #lost = this.#metrics.counter('parley_store_lost_total', 'Messages that could not be kept.').at();
  /** One map look-up for each post. */
  readonly #postCells = new Map<string, Cell>();
  #delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #connections: (() => ConnectionFigures) | undefined;
  #transferred: () => number = () => 0;
  #uploadsKept: () => UploadFigures = () => ({ files: 0, bytes: 0 });
  #unsaved: () => number = () => 0;
  #trouble: string | undefined = 'the store is not open yet';

  constructor() {
    this.#addProcess();
    this.#addReadings();
  }

  // --- what is told --------------------------------------------------------------------------------------

  connected(dialect: string, isEncrypted: boolean): void {
    this.#connected.add(1, dialect, isEncrypted ? 'yes' : 'no');
  }

  /** A cell for each socket: datagrams come in great numbers. */
  datagrams(dialect: string): Cell {
    return this.#datagrams.at(dialect);
  }

  repeated(): void {
    this.#repeats.add();
  }

  /** `reason` is one of few words of ours, never a peer's. */
  reject(reason: string): void {
    this.#rejects.add(1, reason);
  }

  transferred(outcome: 'sent' | 'refused' | 'failed'): void {
    this.#transfers.add(1, outcome);
  }

  uploaded(outcome: 'kept' | 'refused' | 'failed'): void {
    this.#uploads.add(1, outcome);
  }

  uploadBytes(direction: 'in' | 'out', bytes: number): void {
    this.#uploadBytes.add(bytes, direction);
  }

  /** Why the store does not keep what is said; undefined when it does. */
  storeTrouble(reason: string | undefined): void {
    this.#trouble = reason;
  }

  lost(messages: number): void {
    this.#lost.add(messages);
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  // --- what is read --------------------------------------------------------------------------------------

  readConnections(read: () => ConnectionFigures): void {
    this.#connections = read;
  }

  /** Bytes of files that have gone through the server. */
  readTransferred(read: () => number): void {
    this.#transferred = read;
  }

  /** What the house keeps. */
  readUploads(read: () => UploadFigures): void {
    this.#uploadsKept = read;
  }

  /** The text for Prometheus. The event loop is watched from the first time on. */
  text(): string {
    this.#delay ??= this.#watchDelay();
    return this.#metrics.text();
  }

  /** The same store; what goes to it is counted, and how long it takes. */
  watch(store: Store): Store {
    const watched = new WatchedStore(
      store,
      (post) => this.#countPost(post),
      () => this.#mail.add(),
      (ms) => this.#storeSeconds.observe(ms / 1000),
    );
    this.#unsaved = () => watched.unsaved;
    return watched.store;
  }

  // --- inside --------------------------------------------------------------------------------------------

  #countPost({ who: { dialect } }: Post): void {
    let cell = this.#postCells.get(dialect);
    if (!cell) {
      cell = this.#posts.at(dialect);
      this.#postCells.set(dialect, cell);
    }
    cell.value++;
  }

  #addProcess(): void {
    const metrics = this.#metrics;
    const started = Date.now() / 1000 - process.uptime();
    metrics.samples('gauge', 'parley_build_info', 'Always 1; the labels say what runs.', ['version', 'runtime'], () => [
      { values: [VERSION, process.version], value: 1 },
    ]);
    metrics.gauge('process_start_time_seconds', 'When the process began, since 1970.', () => started);
    metrics.gauge('process_resident_memory_bytes', 'Memory in use.', () => process.memoryUsage.rss());
    metrics.samples('counter', 'process_cpu_seconds_total', 'Processor time used, of all threads.', [], () => {
      const { user, system } = process.cpuUsage();
      return [{ values: [], value: (user + system) / 1e6 }];
    });
    const help = 'How late the event loop was, beyond its clock of 20 ms, since the last reading.';
    metrics.samples('gauge', 'parley_event_loop_delay_seconds', help, ['quantile'], () => this.#delays());
  }

  #addReadings(): void {
    const metrics = this.#metrics;
    metrics.samples('gauge', 'parley_connections', 'TCP connections now, by dialect.', ['dialect'], () =>
      Array.from(this.#connections?.().byDialect ?? [], ([dialect, value]) => ({ values: [dialect], value })),
    );
    metrics.gauge(
      'parley_queue_bytes',
      'Bytes that wait to be read by clients, of all connections.',
      () => this.#connections?.().waitingBytes ?? 0,
    );
    metrics.gauge(
      'parley_queue_most_bytes',
      'Bytes that wait to be read by the slowest client.',
      () => this.#connections?.().mostWaitingBytes ?? 0,
    );
    const transferHelp = 'Bytes of files that went through the server.';
    metrics.samples('counter', 'parley_transfer_bytes_total', transferHelp, [], () => [
      { values: [], value: this.#transferred() },
    ]);
    metrics.gauge('parley_upload_files', 'Files that are kept.', () => this.#uploadsKept().files);
    metrics.gauge('parley_upload_kept_bytes', 'Bytes of the files that are kept.', () => this.#uploadsKept().bytes);
    metrics.gauge('parley_store_queue', 'Messages that wait to be written.', () => this.#unsaved());
    metrics.gauge('parley_store_up', '1 when what is said is kept.', () => (this.#trouble === undefined ? 1 : 0));
  }

  #watchDelay(): ReturnType<typeof monitorEventLoopDelay> {
    const { monitorEventLoopDelay } = process.getBuiltinModule('node:perf_hooks');
    const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
    delay.enable();
    return delay;
  }

  #delays(): Sample[] {
    const delay = this.#delay;
    if (!delay || delay.count === 0) return [];
    const samples = DELAY_QUANTILES.map((quantile) => {
      const seconds = delay.percentile(100 * quantile) / NANOSECONDS - DELAY_RESOLUTION_MS / 1000;
      return { values: [String(quantile)], value: Math.max(0, Number(seconds.toFixed(6))) };
    });
    delay.reset();
    return samples;
  }
}

/** One post at a time is watched on its way to the disk: a sample from each group, whatever the rate. */
class WatchedStore {
  readonly store: Store;
  readonly #inner: Store;
  readonly #written: (ms: number) => void;
  #added = 0;
  #settled = 0;
  #lastId = 0;
  #isWatching = false;

  constructor(inner: Store, posted: (post: Post) => void, mailed: () => void, written: (ms: number) => void) {
    this.#inner = inner;
    this.#written = written;
    const added = (id: number): void => {
      this.#added++;
      this.#lastId = id;
      if (!this.#isWatching) this.#watch(id);
    };
    const addPost: Store['addPost'] = (post, room) => {
      inner.addPost(post, room);
      posted(post);
      added(post.id);
    };
    const addWhisper: Store['addWhisper'] = (whisper) => {
      inner.addWhisper(whisper);
      added(whisper.id);
    };
    const addMail: Store['addMail'] = (mail) => {
      mailed();
      return inner.addMail(mail);
    };
    const own = new Map<string | symbol, unknown>([
      ['addPost', addPost],
      ['addWhisper', addWhisper],
      ['addMail', addMail],
    ]);
    this.store = new Proxy(inner, {
      get: (target, name) => {
        if (own.has(name)) return own.get(name);
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const bound: unknown = value.bind(target);
        own.set(name, bound);
        return bound;
      },
    });
  }

  get unsaved(): number {
    return this.#added - this.#settled;
  }

  #watch(id: number): void {
    this.#isWatching = true;
    const added = this.#added;
    const started = performance.now();
    const settled = (): void => {
      this.#settled = added;
      this.#isWatching = false;
      if (this.#added > added) this.#watch(this.#lastId);
    };
    this.#inner.saved(id).then(() => {
      this.#written(performance.now() - started);
      settled();
    }, settled);
  }
}
