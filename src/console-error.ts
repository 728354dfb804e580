// Layer 0. What the operator's console says about a command that is not done.

/** Told to the operator, and a failure for a script. */
export class CommandError extends Error {}
