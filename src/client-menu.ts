// Layer 3. The client's `menu` face: a line typed or a reply come in, actions out. Pure: no socket, terminal,
// disk or clock. Its screen is fixed by the exercise that the dialect comes from, so from a pipe nothing is
// printed besides it but what went wrong.

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

/** What the next line is. */
type State = 'name' | 'entering' | 'option' | 'message' | 'owner' | 'file';

export class MenuFace implements Face<ClientRequest> {
  readonly prompt = '';
  readonly keepsTyped = true;
  /** Good news is for people: a script sees the file. */
  readonly #tellsSuccess: boolean;
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
  #inputEnded = false;
  #isLost = false;
  #leavingSince: number | undefined;
  #isOver = false;

  constructor(tellsSuccess: boolean) {
    this.#tellsSuccess = tellsSuccess;
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
    if (this.#isOver || files === 0 || !this.#tellsSuccess) return actions;
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
    return this.#exit({ kind: 'exit', status: 1, error });
  }

  /** Now and then: a server that does not answer keeps nobody who has typed `x`, or ended the input. */
  tick(now: number): Action[] {
    if (this.#state !== 'entering' || !(this.#inputEnded || leadsToExit(this.#typed))) {
      this.#leavingSince = undefined;
      return [];
    }
    this.#leavingSince ??= now;
    return now - this.#leavingSince < PATIENCE_MS ? [] : this.#leave();
  }

  fetched(fetched: Fetched): Action[] {
    this.#fetching--;
    const file = printable(fetched.file);
    const owner = printable(fetched.owner);
    if (fetched.kind === 'failed') {
      return [note(`${file} from ${owner}: ${printable(fetched.reason)}`), ...this.#leaveWhenDone()];
    }
    const { path, kept, bytes, ms } = fetched;
    const size = `${formatBytes(bytes)} in ${formatDuration(ms)}`;
    const before = kept === undefined ? '' : `; the one that was there is now ${printable(kept)}`;
    const text = `${file} from ${owner} is in ${printable(path)}: ${size}, its SHA-256 is right${before}`;
    return [...(this.#tellsSuccess ? [note(text)] : []), ...this.#leaveWhenDone()];
  }

  serving(): void {
    this.#serving++;
  }

  served({ who, file, trouble }: Served): Action[] {
    this.#serving--;
    const what = `${printable(file)} to ${printable(who) || 'a stranger'}`;
    if (trouble !== undefined) return [note(`${what}: ${printable(trouble)}`), ...this.#leaveWhenDone()];
    return [...(this.#tellsSuccess ? [note(`${what}: sent`)] : []), ...this.#leaveWhenDone()];
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
        return this.#leave();
      default:
        return [note(`There is no option '${printable(option)}', only ${OPTIONS.join(', ')}.`), plain(MENU)];
    }
  }

  #say(text: string): Action[] {
    if (encodeText(text).length > MAX_TEXT_BYTES) return [note(`A message has at most ${MAX_TEXT_BYTES} bytes.`)];
    return [{ kind: 'send', request: { kind: 'message', text } }];
  }

  #fetch(file: string): Action[] {
    const owner = this.#owner;
    if (owner === '') return [note('The owner is missing.')];
    if (nameKey(owner) === nameKey(this.#name)) return [note(`${printable(owner)} is you.`)];
    try {
      checkFileName(file);
    } catch (error) {
      if (!(error instanceof HouseError)) throw error;
      return [note(`${printable(file)} from ${printable(owner)}: ${error.message}`)];
    }
    this.#fetching++;
    return [{ kind: 'send', request: { kind: 'fetch', owner, file } }];
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
    const isDone = this.#typed.length === 0 && this.#fetching === 0 && this.#serving === 0;
    if (!this.#inputEnded || !isDone || this.#isOver || this.#state === 'entering') return [];
    return this.#state === 'name' ? this.#exit({ kind: 'exit', status: 0 }) : this.#leave();
  }

  #leave(): Action[] {
    const goodbye = plain('closing your sockets...goodbye');
    return [goodbye, { kind: 'send', request: { kind: 'exit' } }, ...this.#exit({ kind: 'exit', status: 0 })];
  }

  #exit(exit: Action): Action[] {
    if (this.#isOver) return [];
    this.#isOver = true;
    return [exit];
  }
}

/** Whether these lines, typed at the menu, choose `x` at last. */
function leadsToExit(lines: readonly string[]): boolean {
  const taken: Readonly<Record<string, number>> = { m: 2, f: 3 };
  for (let at = 0; at < lines.length; ) {
    const option = lines[at]?.trim().toLowerCase() ?? '';
    if (option === 'x') return true;
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
