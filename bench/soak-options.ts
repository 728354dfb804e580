// The options that a soak and a fuzz have.

import { parseArgs } from 'node:util';

export interface RunOptions {
  readonly server: string[];
  readonly seconds: number;
  readonly seed: number;
}

export interface RunDefaults {
  readonly server: string;
  readonly seconds: number;
  readonly leastSeconds: number;
}

/** Undefined where help is asked for. Throws an Error that can be shown. `--only` is run.ts's. */
export function readRun(args: string[], defaults: RunDefaults): RunOptions | undefined {
  const { values } = parseArgs({
    args,
    options: {
      server: { type: 'string', default: defaults.server },
      seconds: { type: 'string', default: String(defaults.seconds) },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  if (!(seconds >= defaults.leastSeconds) || !Number.isSafeInteger(seed)) {
    throw new Error(`--seconds takes ${defaults.leastSeconds} or more, --seed a number`);
  }
  return { server: values.server.split(/\s+/).filter((word) => word !== ''), seconds, seed };
}
