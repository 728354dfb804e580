// A soak: people of every dialect who come, talk, leave, die, babble and swap files in a house whose server is killed now
// and then. The first half has the kills; the second has none, so that memory can be watched. Then all leave, the
// descriptors have to be back, all come once more, and the server is killed in the middle of it. At last what it has kept
// is compared with what it has acknowledged. Prints what happened as JSON; status 1 when anything was wrong.
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { breakBytes, SAMPLES } from './fuzz-bytes.ts';
import { cleanUpOnExit } from './harness.ts';
import { Chance } from './soak-chance.ts';
import { DatagramPerson, LabUdpPerson } from './soak-datagram-people.ts';
import { attend, fetchFiles, Owner } from './soak-files.ts';
import { House } from './soak-house.ts';
import { Ledger } from './soak-ledger.ts';
import { LobbyPerson } from './soak-lobby-people.ts';
import { type RunOptions, readRun } from './soak-options.ts';
import { LabPerson, MenuPerson, type Person, PipePerson, UtfPerson } from './soak-people.ts';

const USAGE = `Usage: node bench/soak.ts [options]

People of every dialect talk for a while in a house whose server is killed now and then; prints what was wrong.

Options:
  --server COMMAND  a port and a database are added (default: dist/parley-server)
  --seconds N       how long they talk (default: 600)
  --seed N          the same seed makes the same choices (default: 1)
  --help            this text
`;

const DEFAULT_SERVER = 'dist/parley-server';
/** A `lab` client that has died on UDP is a member until then. */
const UDP_IDLE_S = 5;
const ARGS = ['--open-files', '--tls-self', '--admin', 'off', '--udp-idle', String(UDP_IDLE_S)];
/** From one kill to the next, in the first half. */
const KILL_MS = [4000, 30_000] as const;
const DOWN_MS = [50, 1500] as const;
const LAST_TALK_MS = 3000;
/** Longest for descriptors to be back: a door that nobody used stays open for ten seconds. */
const BACK_MS = 15_000;
/** What the first of each dialect may leave open: a database's reader, a file of the system's. */
const MORE_DESCRIPTORS = 4;
/** In the second half, from one third of it on. Heaps breathe by some tens of MB. */
const MORE_RSS_MB = 48;
/** A server's heap takes a minute to be as large as it gets: a shorter soak sees that, and no leak. */
const SEES_LEAKS_FROM_S = 300;
const MAX_RSS_MB = 400;
const HEAR_MS = 15_000;
const SAMPLE_MS = 500;

/** What all of them look at. */
type Scene = { isOver: boolean; isCalm: boolean };

function invite(house: House, ledger: Ledger, seed: number): Person[] {
  const chance = (name: string) => new Chance(seed, name);
  const own = (name: string) => [name, house, ledger, chance(name)] as const;
  return [1, 2].flatMap((i) => [
    new LabPerson(...own(`lab${i}`)),
    new LabUdpPerson(...own(`ludo${i}`)),
    new MenuPerson(...own(`menu${i}`)),
    new UtfPerson(...own(`java${i}`)),
    new PipePerson(...own(`pipe${i}`)),
    new DatagramPerson(...own(`dora${i}`), true),
    new DatagramPerson(...own(`dino${i}`), false),
    new LobbyPerson(...own(`lobo${i}`), true),
    new LobbyPerson(...own(`gast${i}`), false),
  ]);
}

// --- lives --------------------------------------------------------------------------------------------------------

/** Comes, talks and goes, again and again. */
async function live(person: Person, house: House, ledger: Ledger, scene: Scene): Promise<void> {
  while (!scene.isOver) {
    if (house.isUp && (await enter(person, house, ledger))) await stay(person, scene, ledger);
    await sleep(person.chance.between(50, 600));
  }
}

async function enter(person: Person, house: House, ledger: Ledger): Promise<boolean> {
  const { lives } = house;
  try {
    await person.come();
    ledger.count('entered');
    return true;
  } catch {
    person.die();
    // while the server dies nobody can come in; nor can one whose name is worn by a connection that has just died
    if (house.isUp && house.lives === lives) ledger.count('not entered');
    return false;
  }
}

async function stay(person: Person, scene: Scene, ledger: Ledger): Promise<void> {
  const { chance } = person;
  for (let left = chance.between(5, 60); (left > 0 || scene.isCalm) && person.isIn && !scene.isOver; left--) {
    const burst = chance.isOne(0.1) ? chance.between(2, 6) : 1;
    for (let i = 0; i < burst && person.isReady; i++) person.say();
    await sleep(chance.between(100, 1200));
  }
  if (scene.isOver) return;
  ledger.count('went');
  if (chance.isOne(0.2)) person.babble(breakBytes(chance, chance.pick(SAMPLES)));
  if (chance.isOne(0.5)) person.leave();
  else person.die();
}

async function killNowAndThen(house: House, ledger: Ledger, chance: Chance, forMs: number): Promise<void> {
  const [least, most] = KILL_MS;
  for (const end = performance.now() + forMs; ; ) {
    const waitMs = chance.between(least, Math.max(least + 1, Math.min(most, forMs / 2)));
    if (performance.now() + waitMs > end) return;
    await sleep(waitMs);
    await house.kill();
    ledger.count('kills');
    await sleep(chance.between(...DOWN_MS));
    await house.start();
  }
}

/** Everybody who is in says one thing, and everybody else who is in has to hear it. */
async function callTheRoll(people: readonly Person[], ledger: Ledger): Promise<void> {
  const present = people.filter((person) => person.isIn);
  for (const person of present) for (let wait = 0; !person.isReady && wait < 500; wait++) await sleep(10);
  const calls = present.filter((person) => person.isReady).map((person) => ({ person, marker: person.say() }));
  const missing = () =>
    calls.flatMap(({ person, marker }) =>
      present.filter((other) => other !== person && !other.ear.has(marker)).map((other) => `${other.name}: ${marker}`),
    );
  for (const deadline = performance.now() + HEAR_MS; missing().length > 0; await sleep(20)) {
    if (performance.now() < deadline) continue;
    ledger.trouble(`not heard at the roll call: ${missing().slice(0, 10).join(', ')}`);
    return;
  }
  ledger.count('heard the roll', calls.length);
}

// --- the soak -----------------------------------------------------------------------------------------------------

type Figures = Record<string, number>;

/** The highest memory of some samples. */
async function watchMemory(house: House, forMs: number): Promise<number> {
  let most = 0;
  for (const end = performance.now() + forMs; performance.now() < end; await sleep(SAMPLE_MS)) {
    most = Math.max(most, house.rssMb());
  }
  return most;
}

/** Descriptors of a house in which everybody has been once. */
async function warmUp(house: House, people: readonly Person[]): Promise<void> {
  for (const person of people) {
    await person.come();
    person.leave();
  }
  await sleep(1000);
  if (!house.isUp || house.hasEnded) throw new Error('the server has ended');
}

function keptTexts(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return database
      .prepare('SELECT text FROM posts')
      .all()
      .map(({ text }) => String(text));
  } finally {
    database.close();
  }
}

async function soak({ server, seconds, seed }: RunOptions): Promise<{ figures: Figures; troubles: string[] }> {
  const house = new House({ command: server, args: ARGS });
  const ledger = new Ledger();
  const people = invite(house, ledger, seed);
  const figures: Figures = {};
  await house.start();
  await warmUp(house, people);
  figures.descriptorsBefore = house.descriptors();

  const owners = [new Owner('olga', house, false), new Owner('otto', house, true)];
  const scene: Scene = { isOver: false, isCalm: false };
  const isOver = () => scene.isOver;
  const lives = [
    ...people.map((person) => live(person, house, ledger, scene)),
    ...owners.map((owner) => attend(owner, house, isOver)),
  ];
  const fetches = [1, 2].map((i) => fetchFiles(house, ledger, new Chance(seed, `fetch${i}`), owners, isOver));
  const halfMs = (seconds * 1000) / 2;
  const start = performance.now();
  await killNowAndThen(house, ledger, new Chance(seed, 'kill'), halfMs);
  await sleep(Math.max(0, start + halfMs - performance.now()));
  await sleep(halfMs / 3);
  figures.rssMiddleMb = await watchMemory(house, halfMs / 6);
  await sleep(halfMs / 3);
  figures.rssEndMb = await watchMemory(house, halfMs / 6);
  scene.isCalm = true;
  await callTheRoll(people, ledger);
  scene.isOver = true;
  await Promise.all([...lives, ...fetches]);
  for (const person of people) person.leave();
  figures.descriptorsAfter = await house.descriptorsBack(figures.descriptorsBefore + MORE_DESCRIPTORS, BACK_MS);

  await dieTalking(house, ledger, people);
  await house.start();
  const status = await house.stop();
  if (status !== 0) ledger.trouble(`the server ended with ${status}`);
  ledger.judge(keptTexts(house.data));
  judgeFigures(figures, ledger, seconds);
  return { figures: { ...ledger.counts, ...figures }, troubles: [...ledger.troubles, ...house.complaints] };
}

async function dieTalking(house: House, ledger: Ledger, people: readonly Person[]): Promise<void> {
  const scene: Scene = { isOver: false, isCalm: true };
  const lives = people.map((person) => live(person, house, ledger, scene));
  await sleep(LAST_TALK_MS);
  await house.kill();
  ledger.count('kills');
  scene.isOver = true;
  await Promise.all(lives);
  for (const person of people) person.die();
}

function judgeFigures(figures: Figures, ledger: Ledger, seconds: number): void {
  const { descriptorsBefore = 0, descriptorsAfter = 0, rssMiddleMb = 0, rssEndMb = 0 } = figures;
  if (descriptorsAfter > descriptorsBefore + MORE_DESCRIPTORS) {
    ledger.trouble(`${descriptorsBefore} descriptors before, ${descriptorsAfter} after`);
  }
  const mostMb = seconds >= SEES_LEAKS_FROM_S ? rssMiddleMb + MORE_RSS_MB : MAX_RSS_MB;
  if (rssEndMb > mostMb) ledger.trouble(`RSS grew from ${rssMiddleMb} to ${rssEndMb} MB`);
  for (const due of ['said', 'acknowledged', 'kept', 'heard', 'files', 'kills']) {
    if (!ledger.counts[due]) ledger.trouble(`nothing was ${due}: the soak has looked at nothing`);
  }
  const { repeated = 0, heard = 0 } = ledger.counts;
  if (repeated > heard / 50) ledger.trouble(`${repeated} of ${heard} came again by datagram`);
}

export async function runSoak(args: string[]): Promise<void> {
  const options = readRun(args, { server: DEFAULT_SERVER, seconds: 600, leastSeconds: 10 });
  if (options === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  const { figures, troubles } = await soak(options);
  const rounded = Object.fromEntries(Object.entries(figures).map(([name, figure]) => [name, Math.round(figure)]));
  process.stdout.write(`${JSON.stringify({ seed: options.seed, seconds: options.seconds, ...rounded, troubles })}\n`);
  if (troubles.length > 0) process.exitCode = 1;
}

if (import.meta.main) {
  cleanUpOnExit();
  try {
    await runSoak(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`soak: ${(error as Error).stack}; see --help\n`);
    process.exitCode = 1;
  }
}
