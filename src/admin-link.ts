// Layer 5. The client's end of the admin socket: a connection on which one command is answered after the other, each in
// time or not at all.

import net from 'node:net';
import { clearTimeout, setTimeout } from 'node:timers';
import { type AdminAnswer, AnswerDecoder, encodeCommand } from './wire-admin.ts';

/** A server that lives has answered by then. */
const ANSWER_MS = 10_000;

export class AdminLink {
  readonly #socket: net.Socket;
  readonly #answerMs: number;
  readonly #decoder = new AnswerDecoder();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting: { resolve(answer: AdminAnswer): void; reject(error: Error): void } | undefined;

  private constructor(socket: net.Socket, answerMs: number) {
    this.#socket = socket;
    this.#answerMs = answerMs;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#read(text));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the server has closed the connection'));
  }

  /** Rejects with an Error that can be shown. */
  static open(file: string, answerMs = ANSWER_MS): Promise<AdminLink> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(file);
      socket.once('error', (error: NodeJS.ErrnoException) => reject(new Error(explain(file, error))));
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        resolve(new AdminLink(socket, answerMs));
      });
    });
  }

  /** Rejects when there is no answer in time: what was asked may be done nevertheless. */
  ask(command: string): Promise<AdminAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      const late = () => this.#fail(`the server has not answered within ${this.#answerMs / 1000} s`);
      this.#timer = setTimeout(late, this.#answerMs);
      if (this.#socket.writable) this.#socket.write(encodeCommand(command));
      else this.#fail('the server has closed the connection');
    });
  }

  end(): void {
    this.#settle();
    this.#socket.destroy();
  }

  #read(text: string): void {
    try {
      this.#decoder.push(text);
      const answer = this.#decoder.next();
      if (answer) this.#settle()?.resolve(answer);
    } catch (error) {
      this.#fail((error as Error).message);
    }
  }

  #fail(reason: string): void {
    this.#settle()?.reject(new Error(reason));
  }

  #settle() {
    clearTimeout(this.#timer);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }
}

function explain(file: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return `there is no ${file}: does the server run, and with --admin?`;
  if (code === 'ECONNREFUSED') return `nobody listens on ${file}: the server does not run`;
  if (code === 'EACCES') return `${file} is another user's`;
  return `${file}: ${message}`;
}
