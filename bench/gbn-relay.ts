// A link between two real sockets, a process of its own: what comes from the sender goes to the receiver, and back, by a
// simulated link of a given rate, queue, delay and loss in each direction.
//   node bench/gbn-relay.ts PORT TARGET --mbit N --rtt MS --loss PERCENT [--seed N]
import dgram from 'node:dgram';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { parseArgs } from 'node:util';
import { BadLink, seededRandom } from '../src/bad-link.ts';

const HOST = '127.0.0.1';
const BUFFER_BYTES = 4 * 1024 * 1024;
const LEAST_QUEUE_BYTES = 150_000;
/** Of Ethernet, IP and UDP. */
const OVERHEAD_BYTES = 42;
/** A timer takes a millisecond at least; what is due earlier is looked for in the next turn. */
const SPIN_MS = 1;

const { values, positionals } = parseArgs({
  options: {
    mbit: { type: 'string', default: '100' },
    rtt: { type: 'string', default: '20' },
    loss: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
  allowPositionals: true,
});
const [port, target] = positionals.map(Number);
const bitsPerSecond = Number(values.mbit) * 1e6;
const rttMs = Number(values.rtt);
const options = {
  bitsPerSecond,
  queueBytes: Math.max(LEAST_QUEUE_BYTES, (bitsPerSecond / 8000) * rttMs),
  delayMs: rttMs / 2,
  loss: Number(values.loss) / 100,
  overheadBytes: OVERHEAD_BYTES,
};
const random = seededRandom(Number(values.seed));
/** To the receiver, to the sender. */
const links = [new BadLink(options, random), new BadLink(options, random)] as const;

const lookup = (address: string, _: unknown, callback: (error: null, address: string, family: number) => void) =>
  callback(null, address, 4);
const socket = dgram.createSocket({ type: 'udp4', lookup });
let senderPort = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let isPlanned = false;

function carry(): void {
  const now = performance.now();
  const [there, back] = links;
  for (let bytes = there.take(now); bytes; bytes = there.take(now)) socket.send(bytes, target, HOST);
  for (let bytes = back.take(now); bytes; bytes = back.take(now)) socket.send(bytes, senderPort, HOST);
  plan(now);
}

function plan(now: number): void {
  const at = Math.min(links[0].deadline(), links[1].deadline());
  clearTimeout(timer);
  if (at === Number.POSITIVE_INFINITY || isPlanned) return;
  if (at - now > SPIN_MS) timer = setTimeout(carry, at - now - SPIN_MS);
  else {
    isPlanned = true;
    setImmediate(() => {
      isPlanned = false;
      carry();
    });
  }
}

socket.on('message', (bytes, from) => {
  const isBack = from.port === target;
  if (!isBack) senderPort = from.port;
  const now = performance.now();
  links[isBack ? 1 : 0].send(bytes, now);
  plan(now);
});
socket.on('error', () => {});
socket.bind(port, HOST, () => {
  socket.setRecvBufferSize(BUFFER_BYTES);
  socket.setSendBufferSize(BUFFER_BYTES);
  // what starts servers waits for these words
  process.stdout.write(`ready tcp=0 udp=${socket.address().port}\n`);
});
process.on('SIGTERM', () => {
  process.stderr.write(`${JSON.stringify(links.map(({ stats }) => stats))}\n`);
  process.exit(0);
});
