// Layer 1. Times as IRCv3 writes them in parameters, `timestamp=2026-01-31T12:00:00.000Z`. Pure.

const TIMESTAMP = /^timestamp=(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z)$/;

/** In milliseconds; undefined for what is none. */
export function timeIn(param: string): number | undefined {
  const [, written = ''] = TIMESTAMP.exec(param) ?? [];
  const at = Date.parse(written);
  return Number.isNaN(at) ? undefined : at;
}
