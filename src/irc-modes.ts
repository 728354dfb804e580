// Layer 1. The mode strings of IRC, `+ov-l ann ben`: read and written. Which modes there are, and which of them take a
// parameter, is told by who asks. Pure.

import { encodeText } from './wire.ts';

export interface ModeChange {
  readonly isAdded: boolean;
  readonly mode: string;
  readonly param: string | undefined;
}

/** Whether a mode takes a parameter; `optional`: without one it is a question, as `b` for the list of bans. */
export type Takes = 'always' | 'optional' | 'never' | 'unknown';

export interface ReadModes {
  readonly changes: ModeChange[];
  /** Letters that are no modes, each once. */
  readonly unknown: string[];
  /** Modes whose parameter is missing, each once. */
  readonly missing: string[];
}

/** A line has 15 parameters: a target, the letters, and these. */
export const MODE_PARAMS = 13;
/** Letters and parameters of one line, beside who did it and where. */
const MAX_BYTES = 250;

/** `params` as they stand behind the target. What comes behind the parameters that are due is not looked at. */
export function readModes(params: readonly string[], takes: (mode: string, isAdded: boolean) => Takes): ReadModes {
  const [letters = '', ...rest] = params;
  const changes: ModeChange[] = [];
  const unknown = new Set<string>();
  const missing = new Set<string>();
  let isAdded = true;
  for (const mode of letters) {
    if (mode === '+' || mode === '-') {
      isAdded = mode === '+';
      continue;
    }
    const kind = takes(mode, isAdded);
    // an empty parameter is none
    const param = kind === 'always' || kind === 'optional' ? rest.shift() || undefined : undefined;
    if (kind === 'unknown') unknown.add(mode);
    else if (kind === 'always' && param === undefined) missing.add(mode);
    else if (kind !== 'optional' || param !== undefined || !isAsked(changes, mode))
      changes.push({ isAdded, mode, param });
  }
  return { changes, unknown: [...unknown], missing: [...missing] };
}

/** A question is answered once, however often a line has it: the answer may be a long list. */
function isAsked(changes: readonly ModeChange[], mode: string): boolean {
  return changes.some((change) => change.mode === mode && change.param === undefined);
}

/** The parameters behind the target, one list for each line that is needed. */
export function writeModes(changes: readonly ModeChange[], maxBytes = MAX_BYTES): string[][] {
  const lines: string[][] = [];
  let letters = '';
  let params: string[] = [];
  let bytes = 0;
  let sign = '';
  for (const { isAdded, mode, param } of changes) {
    const due = isAdded ? '+' : '-';
    const more = 2 + mode.length + (param === undefined ? 0 : 1 + encodeText(param).length);
    const isFull = bytes + more > maxBytes || (param !== undefined && params.length === MODE_PARAMS);
    if (isFull && letters !== '') {
      lines.push([letters, ...params]);
      [letters, params, bytes, sign] = ['', [], 0, ''];
    }
    letters += due === sign ? mode : due + mode;
    if (param !== undefined) params.push(param);
    bytes += more;
    sign = due;
  }
  return letters === '' ? lines : [...lines, [letters, ...params]];
}
