// Layer 3. What every face of the client is: a pure machine between a person and a protocol.

/**
 * An `aside` is for a person only: from a pipe it goes to stderr, not into what a script reads. What
 * is `signed` ends in a line `~who @time`.
 */
export type Tone = 'chat' | 'signed' | 'note' | 'plain' | 'aside';

/** How a line is asked for. */
export interface PromptStyle {
  /** Whether a typed line remains standing, where that differs from the face's own habit. */
  readonly keepsTyped?: boolean;
  /** What is typed is not shown. */
  readonly secret?: boolean;
  /** From a pipe the prompt is a line of its own, each time. */
  readonly piped?: boolean;
  /** On an empty screen: what a terminal has shown before can be scrolled back to. */
  readonly clears?: boolean;
}

export type Action<Request> =
  | { readonly kind: 'send'; readonly request: Request }
  /** `text` may have several lines; nothing in it can move the cursor. `who` is emphasised in it. */
  | { readonly kind: 'print'; readonly text: string; readonly tone: Tone; readonly who?: string }
  | { readonly kind: 'prompt'; readonly text: string; readonly style?: PromptStyle }
  | { readonly kind: 'exit'; readonly status: number; readonly error?: string };

export interface Face<Request> {
  readonly prompt: string;
  /** A typed line remains standing: nothing that comes back shows it again. */
  readonly keepsTyped?: boolean;
  /** Typed lines are piling up: no more of them for now. */
  readonly isWaiting: boolean;
  /** An answer, or the end of the connection, is due. */
  readonly isAwaiting: boolean;
  line(text: string): Action<Request>[];
  inputEnded(): Action<Request>[];
  /** Whether the arrow keys bring this line back; asked before it is handled. Unless told, they do. */
  remembers?(line: string): boolean;
  /** What Tab can make of the beginning of a line. */
  complete(line: string): string[];
}
