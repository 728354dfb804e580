// Layer 5. The options of `parley-client gbn`, read and checked.

import net from 'node:net';
import { type CommandLine, type Given, UsageError, wholeNumber } from './arguments.ts';
import { MAX_WINDOW } from './gbn-classic.ts';
import type { Trouble } from './gbn-socket.ts';
import { MAX_PACKET_BYTES } from './wire-gbn.ts';

const MAX_SOUND_WINDOW = 1 << 24;
const MAX_PORT = 65_535;
const MAX_DELAY_MS = 60_000;
const MAX_TIMEOUT_S = 86_400;
const MAX_ERRPROB = 1_000_000_000;
/** Of a diagram. */
const MAX_MS = 1_000_000_000;
const DIRECTORY = '.';

export const GBN_LINE: CommandLine = {
  name: 'parley-client',
  usage: 'gbn [command] [first] [second]',
  shownUsage: 'gbn send|recv|plot [options]',
  about: 'Send a file to another parley-client by Go-Back-N over UDP, without a server',
  words: [
    { word: 'send FILE HOST:PORT', help: 'Offers the file to whoever waits there' },
    { word: 'recv PORT', help: 'Takes the file that is offered first, 0 on any free port' },
    { word: 'plot TRACE [TRACE]', help: 'Draws what was traced at one end or at both, as SVG on stdout' },
  ],
  options: [
    { flag: '-w, --window <packets>', help: 'Packets on their way at once: plain Go-Back-N', shownDefault: 'auto' },
    { flag: '--packet <bytes>', help: 'Of the file in a packet', shownDefault: 'auto' },
    { flag: '--timeout <seconds>', help: 'Silence that ends a transfer', shownDefault: '15' },
    { flag: '--dir <directory>', help: 'Where files arrive', shownDefault: 'the current one' },
    { flag: '--keep', help: 'Go on receiving after a file' },
    { flag: '--name <name>', help: 'What to call it here, instead of what the sender says' },
    { flag: '--loss <percent>', help: 'Datagrams to lose, for trying out' },
    { flag: '-e, --errprob <n>', help: 'Lose one datagram in so many' },
    { flag: '--dup <percent>', help: 'Datagrams to send twice' },
    { flag: '--reorder <percent>', help: 'Datagrams to send late, behind others' },
    { flag: '--delay <ms>', help: 'How much later datagrams go out' },
    { flag: '--seed <number>', help: 'The same trouble each time' },
    { flag: '--trace <file>', help: 'A line of JSON for each packet' },
    { flag: '--classic', help: "The classic programs' wire" },
    { flag: '--json', help: 'What came of it as JSON on stdout' },
    { flag: '--text', help: 'plot: for a terminal' },
    { flag: '--from <ms>', help: 'plot: from there' },
    { flag: '--to <ms>', help: 'plot: up to there' },
  ],
  examples: [
    'parley-client gbn recv 6000 --dir ~/in',
    'parley-client gbn send song.mp3 10.0.0.5:6000',
    'parley-client gbn send song.mp3 10.0.0.5:6000 --window 16 --loss 2 --seed 1 --trace send.trace',
    'parley-client gbn plot send.trace recv.trace > transfer.svg',
  ],
};

export interface TransferOptions {
  readonly window: number | 'auto';
  readonly packetBytes: number | 'auto';
  readonly silentMs: number | undefined;
  readonly trouble: Trouble | undefined;
  readonly trace: string | undefined;
  readonly isClassic: boolean;
  readonly isJson: boolean;
}

export interface SendOptions extends TransferOptions {
  readonly kind: 'send';
  readonly file: string;
  readonly host: string;
  readonly port: number;
}

export interface ReceiveOptions extends TransferOptions {
  readonly kind: 'recv';
  readonly port: number;
  readonly directory: string;
  readonly name: string | undefined;
  readonly isKeeping: boolean;
}

export interface PlotOptions {
  readonly kind: 'plot';
  readonly traces: readonly string[];
  readonly isText: boolean;
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
}

export function readGbnOptions(given: Given): SendOptions | ReceiveOptions | PlotOptions {
  const [command = '', first = '', second = ''] = given.words;
  switch (command) {
    case 'send':
      return readSend(given, first, second);
    case 'recv':
      if (second !== '') throw new UsageError(`one argument too many: ${second}`);
      return readReceive(given, first);
    case 'plot':
      return readPlot(given, first, second);
    case '':
      throw new UsageError('send, recv or plot? for example: parley-client gbn recv 6000');
    default:
      throw new UsageError(`gbn ${command}: must be one of send, recv, plot`);
  }
}

function readSend(given: Given, file: string, target: string): SendOptions {
  if (file === '' || target === '') {
    throw new UsageError(
      'a file and where to send it are due, for example: parley-client gbn send song.mp3 10.0.0.5:6000',
    );
  }
  return { kind: 'send', file: readPath('FILE', file), ...readTarget(target), ...readTransfer(given) };
}

/** `HOST:PORT`, `[ADDRESS]:PORT` where the address has colons. */
function readTarget(target: string): { host: string; port: number } {
  const [, bracketed, plain = '', port = ''] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(target) ?? [];
  const host = bracketed ?? plain;
  const isHost = net.isIP(host) !== 0 || /^[\w-]+(?:\.[\w-]+)*\.?$/.test(host);
  if (!isHost) throw new UsageError(`${target}: must be HOST:PORT, for example 10.0.0.5:6000 or [::1]:6000`);
  return { host, port: wholeNumber(`the port of ${target}`, port, 1, MAX_PORT) };
}

function readReceive(given: Given, port: string): ReceiveOptions {
  if (port === '') throw new UsageError('a port is due, for example: parley-client gbn recv 6000');
  const isClassic = given.has('classic');
  const name = given.one('name');
  if (isClassic && name === undefined)
    throw new UsageError('--classic does not tell the name of the file: give --name');
  return {
    kind: 'recv',
    port: wholeNumber('PORT', port, 0, MAX_PORT),
    directory: readPath('--dir', given.one('dir') ?? DIRECTORY),
    name,
    isKeeping: given.has('keep'),
    ...readTransfer(given),
  };
}

function readTransfer(given: Given): TransferOptions {
  const isClassic = given.has('classic');
  const timeout = optionalNumber(given, 'timeout', 1, MAX_TIMEOUT_S);
  const trace = given.one('trace');
  if (isClassic && trace !== undefined) throw new UsageError('--trace: not with --classic');
  const window = autoOr(given, 'window', isClassic ? 2 : 1, isClassic ? MAX_WINDOW : MAX_SOUND_WINDOW);
  return {
    window,
    packetBytes: autoOr(given, 'packet', 1, MAX_PACKET_BYTES),
    silentMs: timeout === undefined ? undefined : timeout * 1000,
    trouble: readTrouble(given),
    trace: trace === undefined ? undefined : readPath('--trace', trace),
    isClassic,
    isJson: given.has('json'),
  };
}

export function readTrouble(given: Given): Trouble | undefined {
  const oneIn = optionalNumber(given, 'errprob', 0, MAX_ERRPROB);
  const loss = readShare(given, 'loss');
  if (oneIn !== undefined && loss !== undefined) throw new UsageError('--errprob and --loss say the same: give one');
  const trouble = {
    loss: loss ?? (oneIn !== undefined && oneIn > 1 ? 1 / oneIn : 0),
    duplicated: readShare(given, 'dup') ?? 0,
    reordered: readShare(given, 'reorder') ?? 0,
    delayMs: optionalNumber(given, 'delay', 0, MAX_DELAY_MS) ?? 0,
  };
  const seed = optionalNumber(given, 'seed', 0, 2 ** 32 - 1);
  return Object.values(trouble).some((value) => value > 0) ? { ...trouble, seed } : undefined;
}

function readPlot(given: Given, first: string, second: string): PlotOptions {
  if (first === '')
    throw new UsageError('a trace is due, for example: parley-client gbn plot send.trace > transfer.svg');
  const [fromMs, toMs] = [optionalNumber(given, 'from', 0, MAX_MS), optionalNumber(given, 'to', 0, MAX_MS)];
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) throw new UsageError('--from must be before --to');
  const traces = [first, second].filter((file) => file !== '').map((file) => readPath('TRACE', file));
  return { kind: 'plot', traces, isText: given.has('text'), fromMs, toMs };
}

/** Given in percent; of 1. */
function readShare(given: Given, option: string): number | undefined {
  const value = given.one(option);
  if (value === undefined) return undefined;
  const percent = /^(?:\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})%?$/.test(value) ? Number.parseFloat(value) : Number.NaN;
  if (!(percent >= 0 && percent <= 100)) throw new UsageError(`--${option} ${value}: must be a number from 0 to 100`);
  return percent / 100;
}

function autoOr(given: Given, option: string, least: number, most: number): number | 'auto' {
  const value = given.one(option) ?? 'auto';
  return value === 'auto' ? value : wholeNumber(`--${option}`, value, least, most);
}

export function optionalNumber(given: Given, option: string, least: number, most: number): number | undefined {
  const value = given.one(option);
  return value === undefined ? undefined : wholeNumber(`--${option}`, value, least, most);
}

export function readPath(what: string, value: string): string {
  if (value === '' || value.includes('\0')) throw new UsageError(`${what}: must be a name`);
  return value;
}
