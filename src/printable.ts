// Layer 1. What may be shown to a person: nothing that came from elsewhere moves the cursor, changes colours or
// turns the direction of writing. Newlines and tabs may.

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** Puts a replacement character for each that is not to reach a screen; clean text is the same string again. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '\ufffd');
}
