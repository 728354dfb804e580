// Layer 5. Carries out what a face wants: on the screen, on the wire, at the end.

import type { Action, Face } from './face.ts';
import { openScreen, type Screen } from './terminal.ts';

/** Ends the program; an error is shown in one line. */
export type Exit = (status: number, error?: string) => never;

export class Player<Request> {
  readonly #face: Face<Request>;
  readonly #exit: Exit;
  readonly #send: (request: Request) => boolean;
  readonly #screen: Screen;
  #paused = false;

  /** `send` returns false when no more should be sent until `resume`. */
  constructor(face: Face<Request>, exit: Exit, send: (request: Request) => boolean) {
    this.#face = face;
    this.#exit = exit;
    this.#send = send;
    this.#screen = openScreen(face.prompt, {
      line: (text) => this.play(face.line(text)),
      ended: () => this.play(face.inputEnded()),
      complete: (line) => face.complete(line),
    });
  }

  play(actions: readonly Action<Request>[]): void {
    for (const action of actions) this.#perform(action);
    if (this.#face.isWaiting) this.#pause();
    else if (!actions.some(({ kind }) => kind === 'send')) this.resume();
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

  #perform(action: Action<Request>): void {
    switch (action.kind) {
      case 'send':
        if (!this.#send(action.request)) this.#pause();
        return;
      case 'print':
        return this.#screen.print(action.text, action.tone, action.who);
      case 'prompt':
        return this.#screen.setPrompt(action.text);
      case 'exit':
        this.#screen.close();
        return this.#exit(action.status, action.error);
    }
  }
}
