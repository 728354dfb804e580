// Layer 3. The client's `menu` face: a line typed or a reply come in, actions out. Pure: no socket, terminal,
// disk or clock. Its screen is fixed by the exercise that the dialect comes from, so from a pipe nothing is
// printed besides it but what went wrong, and the exit status tells whether all that was asked for has come.

import { HouseError } from './errors.ts';
import type { Face, Action as FaceAction } from './face.ts';
import { checkFileName } from './file-names.ts';
import { nameKey } from './names.ts';
import { printable } from './printable.ts';
import { formatBytes, formatDuration } from './progress.ts';
import { encodeText } from './wire.ts';
import { MAX_TEXT_BYTES, type MenuReply } from './wire-menu.ts';

export type ClientRequest =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'who' }
  | { readonly kind: 'fetch'; readonly owner: string; readonly file: string }
  /** To be answered with `givenUp`, at once. */
  | { readonly kind: 'give-up' }
  | { readonly kind: 'exit' };

type Action = FaceAction<ClientRequest>;

/** How a file that was asked for has come, or not. */
export type Fetched = { readonly owner: string; readonly file: string } & (
  | {
      readonly kind: 'arrived';
      readonly path: string;
      /** Where the file is now that had the name before. */
      readonly kept: string | undefined;
      readonly bytes: number;
      readonly ms: number;
    }
  | { readonly kind: 'failed'; readonly reason: string }
);

/** How far a file came that is not waited for. */
export interface GivenUp {
  readonly file: string;
  /** What of it is kept, and where. */
  readonly bytes: number;
  readonly path: string | undefined;
}

/** How a file that somebody asked for has gone. */
export interface Served {
  readonly who: string;
  readonly file: string;
  /** Why it did not get there. */
  readonly trouble: string | undefined;
}

const MENU = "Enter an option ('m', 'f', 'x'):\n  (M)essage (send)\n  (F)ile (request)\n e(X)it";
const NAME = 'What is your name?';
const OPTIONS = ['m', 'f', 'x'];
/** Names for Tab, before they are needed. */
const WHO: Action = { kind: 'send', request: { kind: 'who' } };

/** Who wants to leave before the server has answered waits no longer than this. */
const PATIENCE_MS = 3000;
/** What is sent to many in so short a time is told once. */
const FOLD_MS = 1000;
/** A shell's, for what Ctrl-C has ended. */
const INTERRUPTED = 130;

/** What the next line is. */
type State = 'name' | 'entering' | 'option' | 'message' | 'owner' | 'file';

export class MenuFace implements Face<ClientRequest> {
  readonly prompt = '';
  readonly keepsTyped = true;
  /** Good news is for people: a script has the exit status. It does not give up, either. */
  readonly #isPerson: boolean;
  #state: State = 'name';
  /** As asked for ... */
  #asked = '';
  /** ... and as the house knows it. */
  #name = '';
  #owner = '';
  readonly #typed: string[] = [];
  /** Who shares files, for completion. */
  #names: readonly string[] = [];
  /** Files on their way, in and out. */
  #fetching = 0;
  #serving = 0;
  /** Some file that was asked for has not come. */
  #hasMissed = false;
  /** Files that went out, and how often, since when; not told yet. */
  readonly #sent = new Map<string, { times: number; since: number | undefined }>();
  #inputEnded = false;
  #isLost = false;
  #leavingSince: number | undefined;
  #isOver = false;

  constructor(isPerson: boolean) {
    this.#isPerson = isPerson;
  }

  /** Lines typed before the house has let it in wait for that. */
  get isWaiting(): boolean {
    return this.#typed.length > 0;
  }

  /** The input has ended: what is on its way may come to its end, and nothing new begins. */
  get isLeaving(): boolean {
    return this.#inputEnded;
  }

  get isAwaiting(): boolean {
    return this.#state === 'entering' && !this.#isLost;
  }

  start(): Action[] {
    return [plain(NAME)];
  }

  line(text: string): Action[] {
    this.#typed.push(text);
    return this.#runTyped();
  }

  /** Like `x`, when the files on their way are through. */
  inputEnded(): Action[] {
    this.#inputEnded = true;
    const actions = this.#runTyped();
    const files = this.#fetching + this.#serving;
    if (this.#isOver || files === 0 || !this.#isPerson) return actions;
    return [...actions, aside(`Waiting for ${files === 1 ? 'a file' : `${files} files`} on the way; Ctrl-C gives up.`)];
  }

  received(reply: MenuReply): Action[] {
    switch (reply.kind) {
      case 'chat':
        return [chat(printable(reply.line))];
      case 'welcome':
        return this.#welcome(printable(reply.name));
      case 'error':
        return this.#error(printable(reply.text));
      case 'who':
        this.#names = reply.names.map(printable);
        return [];
      default:
        return [];
    }
  }

  /** The connection is gone, and tried again. */
  lost(): Action[] {
    this.#isLost = true;
    return [aside('The server is gone; trying again ...')];
  }

  /** It will not come back. */
  closed(error: string): Action[] {
    return this.#exit(1, error);
  }

  /** Ctrl-C where no line is being read. */
  interrupted(): Action[] {
    return this.#state === 'name' ? this.#exit(INTERRUPTED) : this.#leave(INTERRUPTED);
  }

  /** The answer to `give-up`. */
  givenUp(files: readonly GivenUp[]): Action[] {
    return files.map(({ file, bytes, path }) => {
      const isKept = path !== undefined && bytes > 0;
      const rest = isKept ? `${formatBytes(bytes)} are kept in ${printable(path)}` : 'nothing of it has come';
      const text = `given up: ${printable(file)}, ${rest}`;
      return this.#isPerson ? note(text) : aside(text);
    });
  }

  /** Now and then. */
  tick(now: number): Action[] {
    return [...this.#tellSent(now), ...this.#leaveUnheard(now)];
  }

  fetched(fetched: Fetched): Action[] {
    this.#fetching--;
    const file = printable(fetched.file);
    const owner = printable(fetched.owner);
    if (fetched.kind === 'failed') {
      this.#hasMissed = true;
      return [note(`${file} from ${owner}: ${printable(fetched.reason)}`), ...this.#leaveWhenDone()];
    }
    const { path, kept, bytes, ms } = fetched;
    const size = `${formatBytes(bytes)} in ${formatDuration(ms)}`;
    const before = kept === undefined ? '' : `; the one that was there is now ${printable(kept)}`;
    const text = `${file} from ${owner} is in ${printable(path)}: ${size}, its SHA-256 is right${before}`;
    return [...(this.#isPerson ? [note(text)] : []), ...this.#leaveWhenDone()];
  }

  serving(): void {
    this.#serving++;
  }

  served({ who, file, trouble }: Served): Action[] {
    this.#serving--;
    const what = `${printable(file)} to ${printable(who) || 'a stranger'}`;
    if (trouble !== undefined) return [note(`${what}: ${printable(trouble)}`), ...this.#leaveWhenDone()];
    const { times, since } = this.#sent.get(what) ?? { times: 0, since: undefined };
    if (this.#isPerson) this.#sent.set(what, { times: times + 1, since });
    return this.#leaveWhenDone();
  }

  complete(line: string): string[] {
    if (this.#state !== 'owner' || line === '') return [];
    return this.#names.filter((name) => name.toLowerCase().startsWith(line.toLowerCase()));
  }

  /** Letters of the menu are not worth an arrow key. */
  remembers(): boolean {
    return this.#state !== 'option';
  }

  // --- what was typed --------------------------------------------------------------------------------------

  #runTyped(): Action[] {
    const actions: Action[] = [];
    while (!this.#isOver && this.#state !== 'entering') {
      const text = this.#typed.shift();
      if (text === undefined) break;
      actions.push(...this.#run(text));
    }
    return [...actions, ...this.#leaveWhenDone()];
  }

  #run(text: string): Action[] {
    switch (this.#state) {
      case 'name':
        this.#state = 'entering';
        this.#asked = text.trim().replaceAll('\t', ' ');
        return [{ kind: 'send', request: { kind: 'name', name: this.#asked } }];
      case 'message':
        this.#state = 'option';
        return [...this.#say(text), plain(MENU)];
      case 'owner':
        this.#state = 'file';
        this.#owner = text.trim();
        return [plain('Which file do you want?')];
      case 'file':
        this.#state = 'option';
        return [...this.#fetch(text.trim()), plain(MENU)];
      default:
        return this.#choose(text.trim().toLowerCase());
    }
  }

  #choose(option: string): Action[] {
    switch (option) {
      case 'm':
        this.#state = 'message';
        return [plain('Enter your message:')];
      case 'f':
        this.#state = 'owner';
        return [WHO, plain('Who owns the file?')];
      case 'x':
        return this.#leave(0);
      default:
        return [note(`There is no option '${printable(option)}', only ${OPTIONS.join(', ')}.`), plain(MENU)];
    }
  }

  #say(text: string): Action[] {
    if (encodeText(text).length > MAX_TEXT_BYTES) return [note(`A message has at most ${MAX_TEXT_BYTES} bytes.`)];
    return [{ kind: 'send', request: { kind: 'message', text } }];
  }

  #fetch(file: string): Action[] {
    const refusal = this.#refusalOf(file);
    if (refusal !== undefined) {
      this.#hasMissed = true;
      return [note(refusal)];
    }
    this.#fetching++;
    return [{ kind: 'send', request: { kind: 'fetch', owner: this.#owner, file } }];
  }

  /** Why nobody need be asked for it. */
  #refusalOf(file: string): string | undefined {
    const owner = this.#owner;
    if (owner === '') return 'The owner is missing.';
    if (nameKey(owner) === nameKey(this.#name)) return `${printable(owner)} is you.`;
    try {
      checkFileName(file);
      return undefined;
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
      return `${printable(file)} from ${printable(owner)}: ${error.message}`;
    }
  }

  // --- what the server says --------------------------------------------------------------------------------

  #welcome(name: string): Action[] {
    const wasLost = this.#isLost;
    const isAlias = name !== this.#name && nameKey(name) !== nameKey(this.#asked);
    const alias = isAlias ? [aside(`Here you are ${name}, for ${printable(this.#asked)} is taken.`)] : [];
    const again = wasLost ? [aside('The server is back.')] : [];
    this.#isLost = false;
    this.#name = name;
    if (this.#state !== 'entering') return [...again, ...alias];
    this.#state = 'option';
    return [...again, ...alias, WHO, plain(MENU), ...this.#runTyped()];
  }

  #error(text: string): Action[] {
    if (this.#state !== 'entering') return [note(text)];
    this.#state = 'name';
    return [note(text), plain(NAME), ...this.#runTyped()];
  }

  // --- the end ---------------------------------------------------------------------------------------------

  #leaveWhenDone(): Action[] {
    const files = this.#fetching + this.#serving;
    if (!this.isLeaving || this.#typed.length > 0 || files > 0 || this.#state === 'entering') return [];
    return this.#state === 'name' ? this.#exit(0) : this.#leave();
  }

  /** A server that does not answer keeps nobody who has typed `x`, or ended the input. */
  #leaveUnheard(now: number): Action[] {
    if (this.#state !== 'entering' || !(this.#inputEnded || leadsTo('x', this.#typed))) {
      this.#leavingSince = undefined;
      return [];
    }
    this.#leavingSince ??= now;
    if (now - this.#leavingSince < PATIENCE_MS) return [];
    if (leadsTo('x', this.#typed)) return this.#leave(0);
    this.#hasMissed ||= leadsTo('f', this.#typed);
    return this.#leave();
  }

  /** `x` is at once, and always well; at the end of input the status tells a script what has become of its files. */
  #leave(status = this.#hasMissed && !this.#isPerson ? 1 : 0): Action[] {
    if (this.#isOver) return [];
    const givesUp: Action[] = this.#fetching > 0 ? [{ kind: 'send', request: { kind: 'give-up' } }] : [];
    const goodbye = plain('closing your sockets...goodbye');
    return [
      ...this.#tellSent(),
      ...givesUp,
      goodbye,
      { kind: 'send', request: { kind: 'exit' } },
      ...this.#exit(status),
    ];
  }

  #exit(status: number, error?: string): Action[] {
    if (this.#isOver) return [];
    this.#isOver = true;
    return [...this.#tellSent(), { kind: 'exit', status, ...(error === undefined ? {} : { error }) }];
  }

  /** What has waited long enough for more of the same, or all of it. */
  #tellSent(now?: number): Action[] {
    const actions: Action[] = [];
    for (const [what, sent] of this.#sent) {
      if (now !== undefined) sent.since ??= now;
      if (now !== undefined && sent.since !== undefined && now - sent.since < FOLD_MS) continue;
      this.#sent.delete(what);
      actions.push(note(`${what}: sent${sent.times > 1 ? ` (${sent.times} times)` : ''}`));
    }
    return actions;
  }
}

/** Whether these lines, typed at the menu, choose this option before they choose `x`. */
function leadsTo(wanted: string, lines: readonly string[]): boolean {
  const taken: Readonly<Record<string, number>> = { m: 2, f: 3 };
  for (let at = 0; at < lines.length; ) {
    const option = lines[at]?.trim().toLowerCase() ?? '';
    if (option === wanted) return true;
    if (option === 'x') return false;
    at += taken[option] ?? 1;
  }
  return false;
}

function chat(text: string): Action {
  const colon = text.indexOf(': ');
  return { kind: 'print', tone: 'chat', text, ...(colon > 0 ? { who: text.slice(0, colon) } : {}) };
}

function plain(text: string): Action {
  return { kind: 'print', tone: 'plain', text };
}

function note(text: string): Action {
  return { kind: 'print', tone: 'note', text };
}

function aside(text: string): Action {
  return { kind: 'print', tone: 'aside', text };
}
