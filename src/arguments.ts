// Layer 5. Command lines and environments, for both executables: cac reads them, this file says what is wrong.

import { cac } from 'cac';
import { VERSION } from './version.ts';

/** Bad arguments: shown in one line, exit status 2. */
export class UsageError extends Error {}

export interface OptionRow {
  /** As cac writes it: `--host <address>`. */
  readonly flag: string;
  readonly help: string;
  /** Shown in the help; what an absent option means is the reader's to say. */
  readonly shownDefault?: string;
  /** May be given several times; separated by commas in the environment. */
  readonly repeats?: boolean;
}

export interface CommandLine {
  readonly name: string;
  /** As cac writes it: `<port>`, or `lab [host] [port]`. */
  readonly usage: string;
  readonly about: string;
  readonly options: readonly OptionRow[];
  readonly examples: readonly string[];
}

/** Positional arguments, and the values of each option (all that were given, in order). */
export interface Given {
  readonly words: readonly string[];
  all(option: string): readonly string[];
  /** The last one given, else the environment's. */
  one(option: string): string | undefined;
  has(option: string): boolean;
}

/** Undefined when help or the version was asked for, and has been printed. */
export function readCommandLine(
  line: CommandLine,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Given | undefined {
  const cli = cac(line.name);
  const command = cli.command(line.usage, line.about);
  for (const { flag, help, shownDefault } of line.options) {
    command.option(flag, shownDefault === undefined ? help : `${help} (default: ${shownDefault})`);
  }
  for (const example of line.examples) command.example(`  ${example}`);
  cli.help((sections) => [
    ...sections.filter(({ title }) => title !== 'Commands' && !title?.startsWith('For more info')),
    { title: 'Environment', body: '  Each option also as PARLEY_NAME, such as PARLEY_LOG_LEVEL' },
  ]);
  cli.version(VERSION);
  const { args, options } = cli.parse(['', '', ...argv.map(protect)], { run: false });
  // cac prints the version only where no command is named
  if (options.version && !options.help && cli.matchedCommandName) cli.outputVersion();
  if (options.help || options.version) return undefined;
  if (!cli.matchedCommand) throw new UsageError(`unknown command ${JSON.stringify(argv[0])}`);
  try {
    command.checkUnknownOptions();
    command.checkOptionValue();
    command.checkUnusedArgs();
  } catch (error) {
    throw new UsageError((error as Error).message.replaceAll('`', '').replaceAll('\0', ''));
  }
  return given(line, args.map(unprotect), options, env);
}

function given(
  line: CommandLine,
  words: readonly string[],
  options: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Given {
  const all = (option: string): string[] => {
    const value = options[option.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (value !== undefined && value !== false) return [value].flat().map((one) => unprotect(String(one)));
    const fromEnv = env[`PARLEY_${option.replaceAll('-', '_').toUpperCase()}`];
    if (fromEnv === undefined || fromEnv === '') return [];
    const repeats = line.options.find(({ flag }) => flag.includes(`--${option} `))?.repeats;
    return repeats ? fromEnv.split(',').map((one) => one.trim()) : [fromEnv];
  };
  return {
    words,
    all,
    one: (option) => all(option).at(-1),
    has: (option) => !['', '0', 'false', 'no', undefined].includes(all(option).at(-1)),
  };
}

/** cac turns what looks like a number into one, and a student id `0042` into 42: a NUL in front stops it. */
function protect(word: string): string {
  const [, flag = '', value = word] = /^(--?[\w-]+=)(.*)$/s.exec(word) ?? [];
  return !word.startsWith('-') || flag !== '' ? `${flag}${Number.isFinite(Number(value)) ? '\0' : ''}${value}` : word;
}

function unprotect(word: string): string {
  return word.replace('\0', '');
}

/** The value, if it is one of `choices`. */
export function oneOf<T extends string>(option: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new UsageError(`--${option} ${value}: must be one of ${choices.join(', ')}`);
  return found;
}

export function wholeNumber(what: string, value: string, least: number, most: number): number {
  const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) {
    throw new UsageError(`${what} ${JSON.stringify(value)}: must be a whole number from ${least} to ${most}`);
  }
  return number;
}
