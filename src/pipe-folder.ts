// Layer 5. The folder of the `pipe` client, as far as names go: the regular files directly in it that others can ask
// for. What is half there, and what no message can name, is not among them.

import fs from 'node:fs';
import path from 'node:path';
import { UsageError } from './arguments.ts';
import { HouseError } from './errors.ts';
import { checkFileName } from './file-names.ts';

/** The clock that dates changes may stand still for so long. */
const CLOCK_MS = 50;
const MAX_FILES = 10_000;

export class Folder {
  readonly #directory: string;
  #names: readonly string[] = [];
  /** When the directory had been changed last, as far as the names are of then for sure. */
  #changedMs: number | undefined;

  /** It is made when it is missing. */
  constructor(directory: string) {
    this.#directory = directory;
    try {
      fs.mkdirSync(directory, { recursive: true });
    } catch (error) {
      throw new UsageError(`--dir ${directory}: ${explain(error as NodeJS.ErrnoException)}`);
    }
  }

  /** Those of now: questions come faster than files, so that it is read again only after a change. */
  readonly names = (): readonly string[] => {
    const changedMs = this.#whenChanged();
    if (changedMs !== undefined && changedMs === this.#changedMs) return this.#names;
    const isSettled = changedMs !== undefined && Math.abs(Date.now() - changedMs) > CLOCK_MS;
    this.#names = this.#read();
    this.#changedMs = isSettled ? changedMs : undefined;
    return this.#names;
  };

  #whenChanged(): number | undefined {
    try {
      return fs.statSync(this.#directory).mtimeMs;
    } catch {
      return undefined;
    }
  }

  /** None while it can't be read. */
  #read(): string[] {
    try {
      const entries = fs.readdirSync(this.#directory, { withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile() && isShareable(entry.name));
      return files.map(({ name }) => name).slice(0, MAX_FILES);
    } catch {
      return [];
    }
  }
}

/** Whether the file is, or would be, one of the directory's own, whatever links lead there. */
export function isDirectlyIn(directory: string, file: string): boolean {
  return path.dirname(realPath(file)) === realPath(directory);
}

/** Of what is not there, where it would be. */
function realPath(file: string): string {
  const whole = path.resolve(file);
  try {
    return fs.realpathSync.native(whole);
  } catch {
    const parent = path.dirname(whole);
    return parent === whole ? whole : path.join(realPath(parent), path.basename(whole));
  }
}

function isShareable(name: string): boolean {
  if (name.endsWith('.part') || name.includes('|')) return false;
  try {
    checkFileName(name, process.platform === 'win32');
    return true;
  } catch (error) {
    if (!(error instanceof HouseError)) throw error;
    return false;
  }
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'EEXIST' || code === 'ENOTDIR') return 'is not a directory';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to make it';
  return message;
}
