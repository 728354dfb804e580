// Layer 0. What a look at one thing before the start has found.

/** `note` is nothing that stops a server, or nothing that stays so. */
export interface Finding {
  readonly verdict: 'ok' | 'note' | 'bad';
  readonly text: string;
}

export function ok(text: string): Finding {
  return { verdict: 'ok', text };
}

export function note(text: string): Finding {
  return { verdict: 'note', text };
}

export function bad(text: string): Finding {
  return { verdict: 'bad', text };
}
