import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { KeptWhisper, Post } from '../src/events.ts';
import { Unwritten } from '../src/unwritten.ts';

const who = { id: '1.1', name: 'ann', nick: 'ann', dialect: 'irc', account: 'ann' };
const post = (id: number, text = 'x'): Post => ({ kind: 'post', id, room: 'r', who, at: 1, text });
const whisper = (id: number, text = 'x'): KeptWhisper => ({ id, who, to: { name: 'ben' }, at: 1, text });

const test = suite('unwritten');

test('is handed over at once, with the highest id of all', () => {
  const unwritten = new Unwritten(10);
  assert.equal([unwritten.handOver().lastId, unwritten.count], [undefined, 0]);
  unwritten.addPost(post(3), 1);
  unwritten.addWhisper(whisper(4));
  unwritten.addPost(post(5), 1);
  assert.is(unwritten.count, 3);
  const { posts, whispers, count, lastId } = unwritten.handOver();
  assert.equal([posts.id, whispers.map(({ id }) => id), count, lastId], [[3, 5], [4], 3, 5]);
  assert.is(unwritten.count, 0);
  unwritten.addWhisper(whisper(6));
  assert.is(unwritten.handOver().lastId, 6);
});

test('counts until it is written, by number and by characters', () => {
  const unwritten = new Unwritten(4);
  unwritten.addPost(post(1), 1);
  unwritten.addWhisper(whisper(2));
  assert.is(unwritten.filled, 0.5);
  const said = unwritten.handOver();
  unwritten.addPost(post(3), 1);
  assert.is(unwritten.filled, 0.75);
  unwritten.written(said);
  assert.is(unwritten.filled, 0.25);
  unwritten.addWhisper(whisper(4, 'x'.repeat(32 * 1024 * 1024)));
  assert.ok(unwritten.filled >= 1);
  unwritten.written(unwritten.handOver());
  assert.is(unwritten.filled, 0);
});

test.run();
