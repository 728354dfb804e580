// Layer 3. What every face of the client is: a pure machine between a person and a protocol.

export type Action<Request> =
  | { readonly kind: 'send'; readonly request: Request }
  /** `text` may have several lines; nothing in it can move the cursor. `who` is emphasised in it. */
  | { readonly kind: 'print'; readonly text: string; readonly tone: 'chat' | 'note' | 'plain'; readonly who?: string }
  | { readonly kind: 'prompt'; readonly text: string }
  | { readonly kind: 'exit'; readonly status: number; readonly error?: string };

export interface Face<Request> {
  readonly prompt: string;
  /** Typed lines are piling up: no more of them for now. */
  readonly isWaiting: boolean;
  /** An answer, or the end of the connection, is due. */
  readonly isAwaiting: boolean;
  line(text: string): Action<Request>[];
  inputEnded(): Action<Request>[];
  /** What Tab can make of the beginning of a line. */
  complete(line: string): string[];
}
