// Layer 5. Carries out what a face wants: on the screen, on the wire, at the end.

import { clearTimeout, setTimeout } from 'node:timers';
import type { Action, Face } from './face.ts';
import { openScreen, type Screen } from './terminal.ts';

/** After this much waiting for an answer the person is told that none has come. */
const PATIENCE_MS = 10_000;

/** Ends the program, soon; an error is shown in one line. */
export type Exit = (status: number, error?: string) => void;

export interface Wire<Request> {
  /** Who is at the other end, as a person would name it. */
  readonly server: string;
  /** False when no more should be sent until `resume`. */
  send(request: Request): boolean;
}

export class Player<Request> {
  readonly #face: Face<Request>;
  readonly #wire: Wire<Request>;
  readonly #exit: Exit;
  readonly #screen: Screen;
  #paused = false;
  /** What was sent last is more than should be sent for now. */
  #full = false;
  #over = false;
  #patience: ReturnType<typeof setTimeout> | undefined;

  constructor(face: Face<Request>, wire: Wire<Request>, exit: Exit) {
    this.#face = face;
    this.#wire = wire;
    this.#exit = exit;
    this.#screen = openScreen(
      { prompt: face.prompt, keepsTyped: face.keepsTyped ?? false },
      {
        line: (text) => this.play(face.line(text)),
        ended: () => this.play(face.inputEnded()),
        remembers: (line) => face.remembers?.(line) ?? true,
        complete: (line) => face.complete(line),
      },
    );
  }

  play(actions: readonly Action<Request>[]): void {
    if (this.#over) return;
    this.#full = false;
    for (const action of actions) this.#perform(action);
    if (this.#face.isWaiting || this.#full) this.#pause();
    else this.resume();
    this.#watch(actions.some(({ kind }) => kind === 'send'));
  }

  /** What is going on, in lines above the one being typed. */
  status(lines: readonly string[]): void {
    if (!this.#over) this.#screen.setStatus(lines);
  }

  resume(): void {
    if (!this.#paused || this.#face.isWaiting) return;
    this.#paused = false;
    this.#screen.resume();
  }

  #pause(): void {
    this.#paused = true;
    this.#screen.pause();
  }

  /** While an answer is awaited nothing is sent: what is sent begins a new wait, or none. */
  #watch(sends: boolean): void {
    const awaits = this.#face.isAwaiting && !this.#over;
    if (sends || !awaits) clearTimeout(this.#patience);
    if (!sends || !awaits) return;
    this.#patience = setTimeout(
      () => this.#screen.print(`no answer yet from ${this.#wire.server}`, 'note'),
      PATIENCE_MS,
    );
  }

  #perform(action: Action<Request>): void {
    switch (action.kind) {
      case 'send':
        if (!this.#wire.send(action.request)) this.#full = true;
        return;
      case 'print':
        return this.#screen.print(action.text, action.tone, action.who);
      case 'prompt':
        return this.#screen.setPrompt(action.text, action.style);
      case 'exit':
        this.#over = true;
        this.#screen.close();
        return this.#exit(action.status, action.error);
    }
  }
}
