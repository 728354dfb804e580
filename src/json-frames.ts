// Layer 1. Frames of a type, a size and a JSON object, and what stands in the fields of such an object. Pure;
// knows no type and no field by name. Nothing is taken from an object but its own fields, and nothing from
// those but what they were asked to be.

import { ProtocolError } from './errors.ts';
import { pythonJson } from './python-json.ts';
import { ByteQueue, encodeText, latin1Text } from './wire.ts';

/** What a size of four digits can say. */
export const MAX_PAYLOAD_BYTES = 9999;
export const TYPE_BYTES = 4;
/** Type and size. */
export const HEAD_BYTES = 8;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// --- frames -----------------------------------------------------------------------------------------------

export interface Frame {
  readonly type: string;
  readonly payload: Uint8Array;
}

/** Once it is not known where the next frame begins, nothing more can be read. */
export class FrameReader {
  readonly #queue = new ByteQueue();
  /** Of the frame that is due, where it has been read. */
  #size: number | undefined;
  #error: ProtocolError | undefined;

  /** A frame has begun. */
  get pending(): boolean {
    return this.#queue.length > 0;
  }

  push(bytes: Uint8Array): void {
    if (!this.#error) this.#queue.push(bytes);
  }

  next(): Frame | undefined {
    if (this.#error) throw this.#error;
    const queue = this.#queue;
    if (queue.length < HEAD_BYTES) return undefined;
    this.#size ??= this.#readSize();
    const end = HEAD_BYTES + this.#size;
    if (queue.length < end) return undefined;
    const frame = { type: latin1Text(queue.slice(0, TYPE_BYTES)), payload: queue.slice(HEAD_BYTES, end) };
    queue.drop(end);
    this.#size = undefined;
    return frame;
  }

  fail(error: ProtocolError): never {
    this.#error = error;
    this.#queue.drop(this.#queue.length);
    throw error;
  }

  #readSize(): number {
    const written = latin1Text(this.#queue.slice(TYPE_BYTES, HEAD_BYTES));
    if (!/^ *\d+$/.test(written))
      this.fail(malformed(`a frame has its size in four digits, not ${pythonJson(written)}`));
    return Number(written);
  }
}

export function encodeFrame(type: string, json: string): Uint8Array {
  if (json.length > MAX_PAYLOAD_BYTES) throw new RangeError(`${type}: no frame can hold ${json.length} bytes`);
  return encodeText(type + String(json.length).padStart(HEAD_BYTES - TYPE_BYTES, '0') + json);
}

// --- fields -----------------------------------------------------------------------------------------------

/** What a field may be, and how to say so. */
export interface Kind<T> {
  readonly what: string;
  /** Undefined if it is something else. */
  read(value: unknown): T | undefined;
}

export const TEXT: Kind<string> = {
  what: 'text',
  read: (value) => (typeof value === 'string' ? value.toWellFormed() : undefined),
};
export const WHOLE: Kind<number> = {
  what: 'a whole number',
  // -0 is 0
  read: (value) => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) + 0 : undefined),
};
export const FLAG: Kind<boolean> = {
  what: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
};
export const LIST: Kind<unknown[]> = { what: 'a list', read: (value) => (Array.isArray(value) ? value : undefined) };

export function listOf<T>(kind: Kind<T>, what: string): Kind<T[]> {
  return {
    what,
    read: (value) => {
      const all = LIST.read(value)?.map((one) => kind.read(one));
      return all?.every((one) => one !== undefined) ? all : undefined;
    },
  };
}

/** The fields of a frame. Whatever else is in it is not looked at. */
export class Fields {
  readonly #type: string;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(type: string, values: Readonly<Record<string, unknown>>) {
    this.#type = type;
    this.#values = values;
  }

  need<T>(name: string, kind: Kind<T>): T {
    const value = this.may(name, kind);
    if (value === undefined) throw malformed(`${this.#type}: ${name} is missing`);
    return value;
  }

  /** It may be absent, but not something else. */
  may<T>(name: string, kind: Kind<T>): T | undefined {
    const value = this.extra(name, kind);
    if (value === undefined && this.#has(name)) throw malformed(`${this.#type}: ${name} must be ${kind.what}`);
    return value;
  }

  /** Something else under that name is not meant for us. */
  extra<T>(name: string, kind: Kind<T>): T | undefined {
    return this.#has(name) ? kind.read(this.#values[name]) : undefined;
  }

  /** Its own: no object is without a `constructor`. */
  #has(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }
}

export function readFields({ type, payload }: Frame): Fields {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(payload));
  } catch (error) {
    throw malformed(`${type}: the payload is not ${error instanceof SyntaxError ? 'JSON' : 'UTF-8'}`);
  }
  return readObject(type, value);
}

export function readObject(type: string, value: unknown): Fields {
  if (!isObject(value)) throw malformed(`${type}: an object was due`);
  return new Fields(type, value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without those that are not there. */
export function given<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

export function malformed(detail: string): ProtocolError {
  return new ProtocolError('malformed', detail);
}

/** What stands in the place of a type, fit to be shown. */
export function typeName(type: string): string {
  return /^[A-Za-z]{4}$/.test(type) ? type : pythonJson(type);
}
