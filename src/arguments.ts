// Layer 5. Command lines and environments, for both executables: cac reads them, this file says what is wrong.

import { type CAC, type Command, cac } from 'cac';
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

export interface WordRow {
  /** As in the usage, without brackets. */
  readonly word: string;
  readonly help: string;
  readonly shownDefault?: string;
}

export interface CommandLine {
  readonly name: string;
  /** As cac writes it: `<port>`, or `lab [host] [port]`. One that is required may come from the environment. */
  readonly usage: string;
  /** Shown instead, where the usual form is another one. */
  readonly shownUsage?: string;
  readonly about: string;
  /** The words of the usage that need explaining. */
  readonly words?: readonly WordRow[];
  readonly options: readonly OptionRow[];
  readonly examples: readonly string[];
}

/** Positional arguments, and the values of each option (all that were given, in order). */
export interface Given {
  readonly words: readonly string[];
  all(option: string): readonly string[];
  /** The last one given, else the environment's. */
  one(option: string): string | undefined;
  /** Of a switch. Throws UsageError when the environment has another word than on or off. */
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
  for (const { flag, help, shownDefault } of line.options) command.option(flag, withDefault(help, shownDefault));
  for (const example of line.examples) command.example(`  ${example}`);
  cli.help((sections) => helpSections(line, sections));
  cli.version(VERSION);
  const switches = new Map<string, boolean>();
  const { args, options } = cli.parse(['', '', ...takeSwitches(line, argv, switches).map(protect)], { run: false });
  // cac prints the version only where no command is named
  if (options.version && !options.help && cli.matchedCommandName) cli.outputVersion();
  if (options.help || options.version) return undefined;
  if (!cli.matchedCommand) throw new UsageError(`there is no command ${JSON.stringify(argv[0])}`);
  const words = args.map(unprotect);
  checkOptions(cli, command, options);
  checkCount(words, command.args.at(-1)?.variadic ? Number.POSITIVE_INFINITY : command.args.length);
  return given(line, words, options, switches, env);
}

type Section = Parameters<Exclude<Parameters<CAC['help']>[0], undefined>>[0][number];

function helpSections(line: CommandLine, sections: readonly Section[]): Section[] {
  const { words = [] } = line;
  const width = Math.max(...words.map(({ word }) => word.length));
  const rows = words.map(
    ({ word, help, shownDefault }) => `  ${word.padEnd(width)}  ${withDefault(help, shownDefault)}`,
  );
  return sections
    .filter(({ title }) => title !== 'Commands' && !title?.startsWith('For more info'))
    .flatMap((section) => {
      if (section.title !== 'Usage') return [section];
      return [
        line.shownUsage === undefined ? section : { ...section, body: `  $ ${line.name} ${line.shownUsage}` },
        { body: line.about },
        ...(rows.length > 0 ? [{ title: 'Arguments', body: rows.join('\n') }] : []),
      ];
    })
    .concat(line.options.length > 0 ? { title: 'Environment', body: `  ${environmentHelp(line)}` } : []);
}

function withDefault(help: string, shownDefault: string | undefined): string {
  return shownDefault === undefined ? help : `${help} (default: ${shownDefault})`;
}

/** With an example that shows how a dash is written, if there is one. */
function environmentHelp({ usage, options }: CommandLine): string {
  const names = options.map(({ flag }) => /--([\w-]+)/.exec(flag)?.[1] ?? '');
  const example = names.find((name) => name.includes('-')) ?? names[0] ?? '';
  const words = requiredWords(usage).map((word) => `, <${word}> as ${variable(word)}`);
  return `Each option also as a variable: --${example} as ${variable(example)}${words.join('')}`;
}

function requiredWords(usage: string): string[] {
  return [...usage.matchAll(/<([\w-]+)>/g)].map(([, word = '']) => word);
}

/** Of all variables those that look like ours and are none of that command line's. */
export function unknownVariables(
  { usage, options }: CommandLine,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const names = [...requiredWords(usage), ...options.map(({ flag }) => /--([\w-]+)/.exec(flag)?.[1] ?? '')];
  const known = new Set(names.map(variable));
  return Object.keys(env).filter((name) => name.startsWith(variable('')) && !known.has(name));
}

function variable(name: string): string {
  return `PARLEY_${name.replaceAll('-', '_').toUpperCase()}`;
}

/** cac has `someName` for `--some-name`. */
function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Notes the switches, and leaves each in a form that cac gives no word to: it would take the one behind it. */
function takeSwitches(line: CommandLine, argv: readonly string[], found: Map<string, boolean>): string[] {
  const names = line.options.flatMap(({ flag }) => (flag.includes('<') ? [] : [flag.replace(/^.*--/, '')]));
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  return argv.map((word, at) => {
    const [, no, camel = '', value] = /^--(no-)?([\w-]+)(?:=(.*))?$/s.exec(word) ?? [];
    const name = dashed(camel);
    if (at >= end || !names.includes(name) || (no && value !== undefined)) return word;
    found.set(name, value === undefined ? !no : readSwitch(`--${name}`, value));
    return `--${name}=true`;
  });
}

/** `what` is where it was said. */
function readSwitch(what: string, value: string): boolean {
  const word = value.trim().toLowerCase();
  if (['1', 'true', 'yes', 'on'].includes(word)) return true;
  if (['0', 'false', 'no', 'off', ''].includes(word)) return false;
  throw new UsageError(`${what} ${value}: must be on or off`);
}

function checkOptions(cli: CAC, command: Command, options: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (name === '--') continue;
    const flag = name.length > 1 ? `--${dashed(name)}` : `-${name}`;
    const option = command.hasOption(name) ?? cli.globalCommand.hasOption(name);
    if (!option) throw new UsageError(`there is no option ${flag}`);
    if (option.required && [value].flat().some((one) => typeof one !== 'string')) {
      throw new UsageError(`${flag} needs a value`);
    }
  }
}

function checkCount(words: readonly string[], most: number): void {
  const extra = words.slice(most);
  if (extra.length === 0) return;
  const count = extra.length === 1 ? 'one argument' : `${extra.length} arguments`;
  throw new UsageError(`${count} too many: ${extra.join(' ')}`);
}

function given(
  line: CommandLine,
  typed: readonly string[],
  options: Readonly<Record<string, unknown>>,
  switches: ReadonlyMap<string, boolean>,
  env: Readonly<Record<string, string | undefined>>,
): Given {
  const all = (option: string): string[] => {
    const value = options[option.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (value !== undefined) return [value].flat().map((one) => unprotect(String(one)));
    const fromEnv = env[variable(option)];
    if (fromEnv === undefined || fromEnv === '') return [];
    const repeats = line.options.find(({ flag }) => flag.includes(`--${option} `))?.repeats;
    return repeats ? fromEnv.split(',').map((one) => one.trim()) : [fromEnv];
  };
  const missing = requiredWords(line.usage).slice(typed.length);
  return {
    words: [...typed, ...missing.map((word) => env[variable(word)] ?? '')],
    all,
    one: (option) => all(option).at(-1),
    has: (option) => switches.get(option) ?? readSwitch(variable(option), env[variable(option)] ?? ''),
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
