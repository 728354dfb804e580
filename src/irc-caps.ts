// Layer 3. The capabilities that IRC clients may ask for, and what of them changes the bytes of what a whole room hears.

/** Those that are always there, with their values. */
const CAPS: ReadonlyArray<readonly [name: string, value?: string]> = [
  ['account-notify'],
  ['account-tag'],
  ['away-notify'],
  ['batch'],
  ['cap-notify'],
  ['chghost'],
  ['draft/account-registration', 'before-connect,custom-account-name'],
  ['draft/chathistory'],
  ['draft/read-marker'],
  ['echo-message'],
  ['extended-join'],
  ['extended-monitor'],
  ['invite-notify'],
  ['labeled-response'],
  ['message-tags'],
  ['multi-prefix'],
  ['sasl', 'PLAIN'],
  ['server-time'],
  ['setname'],
  ['standard-replies'],
  ['userhost-in-names'],
];
/** Told, and not to be asked for: strict transport security is read by who sees it in the list. */
const STS = 'sts';
/** Comes with version 302 of CAP, and stays. */
const NOTIFY = 'cap-notify';

/** How the lines of a room differ between its members. */
export const VARIANT = { time: 1, tags: 2, account: 4, join: 8 } as const;

export class CapTable {
  readonly #values: ReadonlyMap<string, string | undefined>;

  /** `sts` is its value, where there is TLS. */
  constructor(sts?: string) {
    this.#values = new Map([
      ...CAPS.map(([name, value]) => [name, value] as const),
      ...(sts ? [[STS, sts] as const] : []),
    ]);
  }

  /** For CAP LS; values are for those who know version 302. */
  list(version: number): string[] {
    // without its value it would say nothing
    const all = [...this.#values].filter(([name]) => name !== STS || version >= 302);
    return all.map(([name, value]) => (value === undefined || version < 302 ? name : `${name}=${value}`));
  }

  has(name: string): boolean {
    return name !== STS && this.#values.has(name);
  }
}

/** What one client has asked for. */
export class Caps {
  /** Made when something is asked for. */
  #names: Set<string> | undefined;
  variant = 0;
  /** It has said once that it knows version 302 of CAP. */
  isModern = false;

  has(name: string): boolean {
    return this.#names?.has(name) ?? false;
  }

  list(): string[] {
    return [...(this.#names ?? [])];
  }

  mayBe(name: string, isOn: boolean): boolean {
    return isOn || name !== NOTIFY || !this.isModern;
  }

  set(name: string, isOn: boolean): void {
    this.#names ??= new Set();
    if (isOn) this.#names.add(name);
    else this.#names.delete(name);
    this.variant =
      (this.has('server-time') ? VARIANT.time : 0) |
      (this.has('message-tags') ? VARIANT.tags : 0) |
      (this.has('account-tag') ? VARIANT.account : 0) |
      (this.has('extended-join') ? VARIANT.join : 0);
  }

  /** Tags come with any of these. */
  get hasTags(): boolean {
    return this.variant !== 0 || this.has('labeled-response') || this.has('batch');
  }
}
