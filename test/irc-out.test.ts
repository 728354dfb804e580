// The tags of what goes out to one client, from the specifications of server-time and labeled-response.

import { suite } from 'uvu';
import { converse, gather, HOST, openIrc, register } from './irc-stage.ts';

const AT = 'time=2026-01-01T12:00:00.000Z';
const ANN = `ann!ann@${HOST}`;

const out = suite('irc out');

out('server-time: answers have the time too, from ACK until it is asked for no more', async () => {
  const on = openIrc();
  await converse(
    on,
    `x: CAP REQ server-time
     x< @${AT} ~CAP * ACK server-time
     x: NICK ann
     x: USER ann 0 * :Ann
     x: CAP END
     x< @${AT} ~001 ann …
     x< ...
     -- 1500 ms
     x: PING me
     x< @time=2026-01-01T12:00:01.500Z ~PONG irc.example me
     x: NOSUCH
     x< @time=… ~421 ann NOSUCH :Unknown command
     x: SETNAME :
     x< @time=… ~FAIL SETNAME INVALID_REALNAME :…
     x: CAP LIST
     x< @time=… ~CAP ann LIST server-time
     x: CAP REQ -server-time
     x< ~CAP ann ACK -server-time
     x: PING me
     x< ~PONG irc.example me`,
  );
});

out('server-time with a label: both are on the answer; the lines of a batch have it, the BATCH has not', async () => {
  const on = openIrc();
  await gather(on, 'ann', '#a', { caps: 'server-time labeled-response batch' });
  await converse(
    on,
    `ann: @label=1 PING me
     ann< @label=1;${AT} ~PONG irc.example me
     ann: @label=2 PONG me
     ann< @label=2;${AT} ~ACK
     ann: @label=3 WHO #a
     ann< @label=3 ~BATCH +1 labeled-response
     ann< @batch=1;${AT} ~352 …
     ann< @batch=1;${AT} ~315 …
     ann< ~BATCH -1`,
  );
});

out('a PING of the server and what closes the connection have the time', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'server-time' });
  await converse(
    on,
    `-- 120000 ms
     ann< @time=2026-01-01T12:02:00.000Z PING irc.example
     ann: QUIT :bye
     ann< @time=2026-01-01T12:02:00.000Z ERROR :Quit: bye
     ann< <close>`,
  );
});

out('a bot has its tag on what it does itself, too', async () => {
  const on = openIrc();
  await gather(on, 'ann ben', '#a', { caps: 'message-tags' });
  await converse(
    on,
    `ann: MODE ann +B
     ann< …
     ann: NICK cat
     ann< @bot :${ANN} NICK cat
     ben< @bot :${ANN} NICK cat`,
  );
});

out('a label without a value is none', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'labeled-response batch' });
  await converse(
    on,
    `ann: @label= PING me
     ann< ~PONG irc.example me
     ann: @label PONG me
     ann: @label=${'l'.repeat(64)} PING me
     ann< @label=${'l'.repeat(64)} ~PONG irc.example me
     ann: @label=${'l'.repeat(65)} PING me
     ann< ~PONG irc.example me`,
  );
});

out('labels on what answers nothing else, and on what is refused', async () => {
  const on = openIrc();
  await register(on, 'ann', { caps: 'labeled-response batch' });
  await converse(
    on,
    `ann: @label=1 NICK ann
     ann< @label=1 ~ACK
     ann: @label=2 NICK :
     ann< @label=2 ~431 ann :No nickname given
     ann: @label=3 NICK Ann
     ann< @label=3 :${ANN} NICK Ann
     ann: @label=4 MONITOR C
     ann< @label=4 ~ACK
     ann: @label=5 KILL ann
     ann< @label=5 ~481 Ann :…
     ann: @label=6 VERIFY ann 1
     ann< @label=6 ~FAIL VERIFY INVALID_CODE ann :…
     ann: @label=7 QUIT
     ann< @label=7 ERROR Quit
     ann< <close>`,
  );
});

out.run();
