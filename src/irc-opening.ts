// Layer 5. What IRC clients are told of this server: its name, the message of the day, where its files and its TLS are.

import { closeSync, openSync, readSync } from 'node:fs';
import { hostname } from 'node:os';
import type { IrcSettings } from './irc.ts';
import { isServerName } from './irc-options.ts';
import { nameKey } from './names.ts';
import type { ServerOptions } from './options.ts';
import type { Port } from './session.ts';
import { baseAt, fileHostOf } from './upload-links.ts';
import { fitText } from './wire-irc.ts';

const MAX_MOTD_BYTES = 65_536;
const MAX_MOTD_LINES = 500;
const MOTD_LINE_BYTES = 380;
/** A client that has been told of TLS comes by it for so long. */
const STS_SECONDS = 2_592_000;

/** Throws an Error whose message can be shown to the operator. */
export class IrcOpening {
  readonly #file: string | undefined;
  readonly settings: IrcSettings;
  #motd: readonly string[] = [];

  /** `port` is the main one. */
  constructor(options: ServerOptions, port: number, host = hostname()) {
    const { irc, tls } = options;
    this.#file = irc.motd;
    const motd = () => this.#motd;
    this.settings = {
      serverName: irc.name ?? spellServer(host),
      network: irc.network,
      opers: new Set(irc.opers.map(nameKey)),
      replay: irc.replay,
      get motd() {
        return motd();
      },
      // who can't check a certificate that was made here would be locked out by this
      sts: tls?.kind === 'files' ? `port=${port},duration=${STS_SECONDS}` : undefined,
      fileHost: options.uploads && ((connection) => fileHost(connection, port, options)),
    };
    this.reload();
  }

  /** The old message stays when the file can't be read. */
  reload(): void {
    if (this.#file === undefined) return;
    try {
      this.#motd = readMotd(this.#file);
    } catch (error) {
      throw new Error(`--motd ${this.#file}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Files are brought to the main port, whichever the connection came by. */
function fileHost({ local, isEncrypted = false }: Port, port: number, options: ServerOptions): string | undefined {
  const ip = options.advertise ?? local.ip;
  return fileHostOf(isEncrypted, options.publicUrl ?? baseAt({ ip, port }, isEncrypted));
}

function spellServer(host: string): string {
  const fit = host
    .replace(/[^A-Za-z0-9.-]/g, '-')
    .slice(0, 63)
    .replace(/^[.-]+|[.-]+$/g, '');
  return isServerName(fit) ? fit : 'parley';
}

/** Its beginning, if it is a long one. */
export function readMotd(file: string): string[] {
  const bytes = new Uint8Array(MAX_MOTD_BYTES);
  const opened = openSync(file, 'r');
  let length = 0;
  try {
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(opened, bytes, length, bytes.length - length, null);
    }
  } finally {
    closeSync(opened);
  }
  return motdLines(new TextDecoder().decode(bytes.subarray(0, length)));
}

export function motdLines(text: string): string[] {
  const lines = text.replace(/\n$/, '').split(/\r?\n/).slice(0, MAX_MOTD_LINES);
  const fit = lines.flatMap((line) => (line === '' ? [''] : fitText(line.replaceAll('\t', '    '), MOTD_LINE_BYTES)));
  return text.trim() === '' ? [] : fit.slice(0, MAX_MOTD_LINES);
}
