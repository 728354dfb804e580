// How long a line of IRC is for its readers: RFC 1459 (2.3), modern.ircdocs.horse ("Size limits"), and the house's rule
// that what other dialects say is never cut off.

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { linesOf, textOf } from '../src/irc-lines.ts';
import { addOther, converse, gather, HOST, type IrcClient, join, openIrc, register } from './irc-stage.ts';

const ANN = `ann!ann@${HOST}`;
const MAX_BYTES = 512 - 2;
const bytesOf = (text: string) => new TextEncoder().encode(text).length;
/** As long as one line can be that a client sends. */
const fill = (before: string, char: string) => char.repeat(Math.floor((MAX_BYTES - bytesOf(before)) / bytesOf(char)));

const lines = suite('irc lines: how long');

for (const [name, char] of [
  ['ASCII', 'a'],
  ['two bytes a character', 'é'],
  ['four bytes a character', '😀'],
] as const) {
  lines(`a line of IRC is one line for every reader, the end of a full one is cut: ${name}`, async () => {
    const on = openIrc();
    const [ann, ben] = (await gather(on, 'ann ben', '#a', { caps: 'echo-message' })) as [IrcClient, IrcClient];
    const lil = await addOther(on, 'lil', { rooms: 'a' });
    for (const [target, hearers] of [
      ['#a', [ann, ben]],
      ['ben', [ann, ben]],
    ] as const) {
      const command = `PRIVMSG ${target} :`;
      const text = fill(command, char);
      ann.take();
      ben.take();
      ann.send(`${command}${text}\r\n`);
      await on.pass(0);
      for (const hearer of hearers) {
        const told = hearer.take();
        assert.is(told.length, 1, told.join('\n'));
        const [line = ''] = told;
        const [, said = ''] = line.split(`:${ANN} PRIVMSG ${target} `);
        assert.ok(said !== '' && text.startsWith(said.replace(/^:/, '')), line);
        assert.ok(bytesOf(line) <= MAX_BYTES && bytesOf(line) > MAX_BYTES - bytesOf(char) - 1, `${bytesOf(line)}`);
      }
      // who has no such limit is told all of it
      if (target === '#a') assert.ok(lil.tongue.take().at(-1)?.endsWith(text));
    }
  });
}

lines('a line that fits is told as it came', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }), (any) => {
      const text = any.replace(/\p{Cc}/gu, '') || '-';
      if (text.startsWith('/me ')) return;
      assert.equal(linesOf(text, ANN, 'PRIVMSG', '#a', true), [text]);
    }),
  );
});

lines('an ACTION is cut inside, and still one', () => {
  const [line = '', ...more] = linesOf(`/me ${'y'.repeat(600)}`, ANN, 'PRIVMSG', '#a', true);
  assert.equal(more, []);
  assert.match(line.replaceAll('\x01', '|'), /^\|ACTION y+\|$/);
  assert.is(bytesOf(`:${ANN} PRIVMSG #a :${line}`), MAX_BYTES);
});

lines('an ACTION of nothing is passed on as it came', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'echo-message' });
  await register(on, 'ben');
  for (const client of on.clients.values()) await join(on, client, '#a');
  assert.is(textOf('\x01ACTION \x01'), undefined);
  await converse(
    on,
    `ann: PRIVMSG #a :\x01ACTION \x01
     ann< :${ANN} PRIVMSG #a :\x01ACTION \x01
     ben< :${ANN} PRIVMSG #a :\x01ACTION \x01
     ann: PRIVMSG ben :\x01ACTION \x01
     ann< :${ANN} PRIVMSG ben :\x01ACTION \x01
     ben< :${ANN} PRIVMSG ben :\x01ACTION \x01`,
  );
});

lines.run();
