// Files that are brought, and of which nothing comes any more.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { suite } from 'uvu';
import { Client, eventually, limited, start } from './launch.ts';

const test = suite('uploads, stalled');

limited(test)(
  'what stalls ends and leaves nothing, be it in the middle or before the first byte',
  async () => {
    const server = await start();
    const files = () => fs.readdirSync(`${server.data}.uploads`);
    const head = 'PUT /upload/big HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n';
    const [middle, nothing] = [await Client.connect(server.tcp), await Client.connect(server.tcp)];
    middle.send(head);
    middle.send(randomBytes(100_000));
    nothing.send(head);
    await eventually(() => (fs.existsSync(`${server.data}.uploads`) && files().length === 2) || undefined, 'no parts');
    await Promise.all([middle.gone(55_000), nothing.gone(55_000)]);
    await eventually(() => files().length === 0 || undefined, 'something is left');
    await server.logged(/upload from=127\.0\.0\.1 outcome="nothing came for a while"/);
  },
  75,
);
test.run();
