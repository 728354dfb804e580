// A classic `pipe` server, as the page on the classic programs tells what it puts on the wire: what it reads at once
// is one message, some of its own have no newline, and it has its limits. Pure: sockets are others' business.

const MAX_READ = 4096;
const RESERVED = ['server', 'all', 'root', 'me'];
const TRIES = 6;
const PASSWORD_TRIES = 5;

interface Room {
  readonly name: string;
  password: string | undefined;
  readonly members: ClassicConnection[];
}

export class ClassicServer {
  readonly rooms = new Map<string, Room>();
  readonly names = new Set<string>();
  /** Messages as it took them. */
  readonly messages: string[] = [];
  /** What only an operator sees. */
  readonly console: string[] = [];
  readonly connections: ClassicConnection[] = [];

  /** Each `send` is one send. */
  connect(send: (text: string) => void, close: () => void, port = 50_000): ClassicConnection {
    const connection = new ClassicConnection(this, send, close);
    this.connections.push(connection);
    send(`Connected to 127.0.0.1 at port ${port}\nPlease enter your username\n`);
    return connection;
  }

  /** Its operator types. */
  type(line: string): void {
    if (['exit', 'quit', 'kill'].includes(line)) for (const one of this.connections) one.send('kill');
    if (line.startsWith('@all|')) for (const one of this.connections) one.send(`#server|${line.slice(5)}`);
  }
}

export class ClassicConnection {
  readonly #server: ClassicServer;
  readonly #close: () => void;
  readonly send: (text: string) => void;
  #step: (fields: string[]) => void = (fields) => this.#takeName(fields);
  #failed = 0;
  #isOver = false;
  name = '';
  room: Room | undefined;

  constructor(server: ClassicServer, send: (text: string) => void, close: () => void) {
    this.#server = server;
    this.#close = close;
    this.send = (text) => {
      if (!this.#isOver) send(text);
    };
  }

  /** What one read has brought. */
  read(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += MAX_READ) this.#take(bytes.subarray(at, at + MAX_READ));
  }

  closed(): void {
    this.#leave();
  }

  #take(bytes: Uint8Array): void {
    if (this.#isOver) return;
    const text = new TextDecoder('latin1').decode(bytes);
    this.#server.messages.push(text);
    // its thread ends, and nobody is told
    if (bytes.some((byte) => byte >= 0x80)) this.#isOver = true;
    else this.#step(text.replace(/\r?\n$/, '').split('|'));
  }

  // --- the way in ------------------------------------------------------------------------------------------------

  #fail(error: string, tries = TRIES): void {
    this.#failed++;
    if (this.#failed < tries) return this.send(`ERROR|${error}\n`);
    this.send('ERROR|Max tries reached, closing connection.\n');
    this.send('exit');
    this.#end();
  }

  #go(reply: string, step: (fields: string[]) => void): void {
    this.#failed = 0;
    this.#step = step;
    this.send(reply);
  }

  #takeName([name = '']: string[]): void {
    if (RESERVED.includes(name) || this.#server.names.has(name)) {
      return this.#fail('Username taken, kindly choose another.');
    }
    this.name = name;
    this.#server.names.add(name);
    this.#go(`OK|Username ${name} accepted. Send create/join a chatroom\n`, (fields) => this.#choose(fields));
  }

  #choose([choice = '']: string[]): void {
    const word = choice.toLowerCase();
    if (word === 'create') return this.#go('OK|Specify a chatroom name to create.\n', (fields) => this.#create(fields));
    if (word !== 'join') return this.#fail('Sorry, specify join/create to join or create a chatroom');
    if (this.#server.rooms.size === 0) return this.#fail('There are no chatrooms to join now');
    this.#go('OK|Here is a list of chatrooms you can join.\n', (fields) => this.#join(fields));
    this.send(`${[...this.#server.rooms.keys()].join('|')}\n`);
  }

  #create([name = '']: string[]): void {
    if (this.#server.rooms.has(name)) return this.#fail('Sorry, chatroom already taken. Please try again.');
    const room: Room = { name, password: undefined, members: [] };
    this.#go(
      `OK|Chatroom ${name} created. Do you want to password protect the room? [yes/no]\n`,
      ([answer = '']: string[]) => {
        this.#server.rooms.set(name, room);
        if (answer.slice(0, 3).toLowerCase() !== 'yes') {
          this.send('OK|Chatroom has been made public.\n');
          return this.#welcome(room);
        }
        this.#go('OK|Please enter password.\n', ([password = '']) => {
          room.password = password;
          this.send(`OK|Password ${password} accepted.\n`);
          this.#welcome(room);
        });
      },
    );
  }

  #join([name = '']: string[]): void {
    const room = this.#server.rooms.get(name);
    if (!room) return this.#fail('Sorry, chatroom name not found. Please try again.');
    if (room.password === undefined) return this.#enter(room);
    this.#go('OK|This chatroom is private. Please enter password.\n', ([password]) => {
      if (password === room.password) {
        this.send('OK|Password accepted.\n');
        return this.#enter(room);
      }
      const left = PASSWORD_TRIES - 1 - this.#failed;
      this.#fail(`Sorry, incorrect password. You have ${left} tries left.`, PASSWORD_TRIES);
      if (left > 0) this.send('OK|This chatroom is private. Please enter password.\n');
    });
  }

  #enter(room: Room): void {
    for (const member of room.members) member.send(`INFO| New user ${this.name} has joined\n`);
    this.send(`OK|You have joined chatroom - ${room.name}\n`);
    const peers = room.members.map(({ name }) => name).join('|');
    this.send(room.members.length > 0 ? 'Here is a list of peers in the room:\n' : 'There are no peers in the room:\n');
    if (room.members.length > 0) this.send(`${peers}\n`);
    this.#welcome(room);
  }

  #welcome(room: Room): void {
    room.members.push(this);
    this.room = room;
    this.#go(`Welcome to ${room.name}. You are all set to pass messages\n`, (fields) => this.#pass(room, fields));
  }

  // --- in a room -------------------------------------------------------------------------------------------------

  #pass(room: Room, [to = '', ...fields]: string[]): void {
    const text = fields.join('|');
    if (!to.startsWith('@')) return this.send('ERROR|Sorry, first field in message should be @<destination>\n');
    if (to === '@server') return this.#ask(room, fields);
    if (to === '@all') return this.#others(room, `#${this.name}|${text}`);
    if (to === '@me' || to === `@${this.name}`) return this.send(`#me|${text}\n`);
    const member = room.members.find(({ name }) => `@${name}` === to);
    if (member) member.send(`#${this.name}|${text}\n`);
    else this.send('ERROR|Sorry, destination client not present in chatroom\n');
  }

  #others(room: Room, text: string): void {
    for (const member of room.members) if (member !== this) member.send(text);
  }

  #ask(room: Room, fields: string[]): void {
    switch (fields[0]?.toLowerCase()) {
      case 'exit':
      case 'quit':
        this.send('exit');
        return this.#end();
      case 'get_peers':
        return this.send(`${room.members.map(({ name }) => name).join('|')}\n`);
      case 'get_rooms':
        return this.send(`${[...this.#server.rooms.keys()].join('|')}\n`);
      case 'get_passwd':
        return this.send(room.password ?? 'This chatroom is public and has no password protection.');
      default:
        this.#server.console.push(fields.join('|'));
    }
  }

  #end(): void {
    this.#leave();
    this.#isOver = true;
    this.#close();
  }

  #leave(): void {
    const { room } = this;
    if (!room) return;
    this.room = undefined;
    room.members.splice(room.members.indexOf(this), 1);
    this.#server.names.delete(this.name);
    this.#others(room, `INFO| User ${this.name} has left\n`);
  }
}
