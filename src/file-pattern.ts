// Layer 1. A shell's pattern for file names: `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`. Strangers send them, so one never
// takes more steps than pattern times name: of the stars only the last is ever tried again. Pure.

interface OneOf {
  readonly isInverted: boolean;
  readonly ranges: ReadonlyArray<readonly [number, number]>;
}

type Part = '*' | OneOf;

/** No name is that long. */
const MAX_PATTERN_CHARS = 256;
const ANY: OneOf = { isInverted: true, ranges: [] };

/** Whether a name fits the pattern; to one that is too long none does. */
export function readPattern(pattern: string): (name: string) => boolean {
  if (pattern.length > MAX_PATTERN_CHARS) return () => false;
  const parts = partsOf(pattern);
  return (name) => matches(parts, [...name]);
}

function matches(parts: readonly Part[], chars: readonly string[]): boolean {
  let part = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < chars.length) {
    const one = parts[part];
    if (one === '*') {
      star = part++;
      starAt = at;
    } else if (one !== undefined && fits(one, chars[at] as string)) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++starAt;
    } else return false;
  }
  return parts.slice(part).every((one) => one === '*');
}

function fits({ isInverted, ranges }: OneOf, char: string): boolean {
  const code = char.codePointAt(0) ?? 0;
  return ranges.some(([from, to]) => from <= code && code <= to) !== isInverted;
}

function partsOf(pattern: string): Part[] {
  const chars = [...pattern];
  const parts: Part[] = [];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string;
    const end = char === '[' ? endOfSet(chars, at) : -1;
    if (char === '*') parts.push('*');
    else if (char === '?') parts.push(ANY);
    else if (end < 0) parts.push(oneOf([char]));
    else {
      parts.push(readSet(chars.slice(at + 1, end)));
      at = end;
    }
  }
  return parts;
}

/** A bracket right behind the first one, or behind `[!`, is one of the set. */
function endOfSet(chars: readonly string[], at: number): number {
  return chars.indexOf(']', at + (chars[at + 1] === '!' ? 3 : 2));
}

function readSet(chars: readonly string[]): OneOf {
  return chars[0] === '!' ? { ...oneOf(chars.slice(1)), isInverted: true } : oneOf(chars);
}

function oneOf(chars: readonly string[]): OneOf {
  const ranges: Array<readonly [number, number]> = [];
  for (let at = 0; at < chars.length; at++) {
    const isRange = chars[at + 1] === '-' && at + 2 < chars.length;
    ranges.push([codeOf(chars[at]), codeOf(chars[isRange ? at + 2 : at])]);
    if (isRange) at += 2;
  }
  return { isInverted: false, ranges };
}

function codeOf(char: string | undefined): number {
  return char?.codePointAt(0) ?? 0;
}
