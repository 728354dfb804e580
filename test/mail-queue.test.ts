import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { MailQueue } from '../src/mail-queue.ts';
import type { NewMail } from '../src/mail-tables.ts';
import { refusal, settle } from './fakes.ts';

type Ids = Array<number | undefined>;

const mail = (text: string, owner = 'ann'): NewMail => ({ owner, sender: 'bob', time: '10:11:12', text, at: 6 });

/** What was handed over is written when the test says so. */
function open() {
  const batches: string[][] = [];
  const answers: Array<{ resolve(ids: Ids): void; reject(error: Error): void }> = [];
  const queue = new MailQueue((mails) => {
    batches.push(mails.map(({ text }) => text));
    return new Promise((resolve, reject) => answers.push({ resolve, reject }));
  });
  const answer = async (ids: Ids | Error) => {
    const first = answers.shift();
    if (ids instanceof Error) first?.reject(ids);
    else first?.resolve(ids);
    await settle();
  };
  return { queue, batches, answer };
}

const queues = suite('mail queue');

queues('hands what comes meanwhile over together', async () => {
  const { queue, batches, answer } = open();
  const all = ['1', '2', '3'].map((text) => queue.add(mail(text)));
  assert.equal(batches, [['1']], 'the first at once');
  await answer([7]);
  assert.equal(batches, [['1'], ['2', '3']]);
  await answer([8, 9]);
  assert.equal(await Promise.all(all), [7, 8, 9]);
  queue.add(mail('4'));
  assert.equal(batches.at(-1), ['4']);
});

queues('tells each what became of it', async () => {
  const { queue, answer } = open();
  const all = ['1', '2', '3', '4'].map((text) => refusal(queue.add(mail(text))));
  await answer(new HouseError('not-saved', 'the disk is full'));
  await answer([1, undefined, 2]);
  assert.equal(await Promise.all(all), ['not-saved', 'no refusal', 'full', 'no refusal']);
});

queues('a thousand wait, and no more', async () => {
  const { queue, batches, answer } = open();
  const all = Array.from({ length: 1003 }, (_, i) => refusal(queue.add(mail(`${i}`))));
  await answer([1]);
  await answer(Array.from({ length: 1000 }, (_, i) => i));
  const answers = await Promise.all(all);
  assert.equal(
    answers.map((code) => code === 'too-fast').flatMap((is, i) => (is ? [i] : [])),
    [1001, 1002],
  );
  assert.is(batches[1]?.length, 1000);
});

queues('hands over when told, and goes on in order', async () => {
  const { queue, batches, answer } = open();
  for (const text of ['1', '2']) queue.add(mail(text));
  queue.handOver();
  queue.handOver();
  queue.add(mail('3'));
  assert.equal(batches, [['1'], ['2']]);
  await answer([1]);
  assert.equal(batches.length, 2, 'one batch is still on its way');
  await answer([2]);
  assert.equal(batches, [['1'], ['2'], ['3']]);
});

queues('drops what waits for one', async () => {
  const { queue, batches, answer } = open();
  const all = ['ann', 'ann', 'bob', 'ann'].map((owner, i) => refusal(queue.add(mail(`${i}`, owner))));
  queue.drop('ann');
  queue.drop('nobody');
  await answer([1]);
  assert.equal(batches, [['0'], ['2']]);
  await answer([2]);
  assert.equal(await Promise.all(all), ['no refusal', 'not-saved', 'no refusal', 'not-saved']);
});

queues('keeps what it was given, whatever becomes of that', async () => {
  const { queue, batches, answer } = open();
  queue.add(mail('1'));
  const mine = { ...mail('2') };
  queue.add(mine);
  mine.text = 'changed';
  await answer([1]);
  assert.equal(batches[1], ['2']);
});
queues.run();
