import fs from 'node:fs';
import disk from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HouseError } from '../src/errors.ts';
import { GbnSource } from '../src/gbn-source.ts';
import { Shelf } from '../src/shelf.ts';
import { refusal } from './fakes.ts';

const test = suite('gbn source');

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-source-'));
process.on('exit', () => fs.rmSync(root, { recursive: true, force: true }));
const content = Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 7 + (at >> 8)) & 255);
fs.writeFileSync(path.join(root, 'song'), content);

function open(name = 'song'): Promise<GbnSource> {
  return GbnSource.open(new Shelf(disk, root), name);
}

/** All of it, as one who asks for so many bytes at a time gets it. */
async function readAll(source: GbnSource, from: number, bytesAtOnce: () => number): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for (let at = from; at < source.file.size; ) {
    const wanted = Math.min(bytesAtOnce(), source.file.size - at);
    const piece = source.at(at, wanted) ?? (await later(source, at, wanted));
    assert.ok(piece.length >= 1 && piece.length <= wanted);
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}

function later(source: GbnSource, at: number, wanted: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    source.onReady = () => {
      const piece = source.at(at, wanted);
      if (piece) resolve(piece);
    };
    source.onTrouble = reject;
  });
}

test('who asks for so many bytes each time gets so many, from any beginning', async () => {
  const sizes = fc.constantFrom(1000, 65_536, 261_800, 262_144, 1_048_576, 2_500_000);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: content.length }), sizes, async (from, size) => {
      const source = await open();
      const pieces = await readAll(source, from, () => size);
      await source.close();
      for (const piece of pieces.slice(0, -1)) assert.is(piece.length, size);
      assert.ok(Buffer.concat(pieces).equals(content.subarray(from)));
    }),
    { numRuns: 30 },
  );
});

test('who asks for other numbers each time gets all of it in order', async () => {
  const source = await open();
  let n = 0;
  const pieces = await readAll(source, 5, () => {
    n += 7919;
    return 1 + (n % 65_536);
  });
  await source.close();
  assert.ok(Buffer.concat(pieces).equals(content.subarray(5)));
});

test('after it is rewound it gives the beginning again', async () => {
  const source = await open();
  await readAll(source, 0, () => 262_144);
  source.rewind();
  assert.ok(Buffer.concat(await readAll(source, 0, () => 262_144)).equals(content));
  await source.close();
});

test('rewound while it reads: what was read does not stand in the way', async () => {
  const source = await open();
  assert.is(source.at(2_000_000, 262_144), undefined);
  source.rewind();
  assert.ok(Buffer.concat(await readAll(source, 0, () => 262_144)).equals(content));
  await source.close();
});

test('who goes on somewhere else than what was read ahead gets that', async () => {
  const source = await open();
  for (const at of [0, 2_500_000, 0, 1_500_000]) {
    const piece = source.at(at, 262_144) ?? (await later(source, at, 262_144));
    assert.ok(Buffer.from(piece).equals(content.subarray(at, at + 262_144)), `at ${at}`);
  }
  await source.close();
});

test('a file that becomes shorter is told as changed', async () => {
  const file = path.join(root, 'short');
  fs.writeFileSync(file, content);
  const source = await open('short');
  fs.truncateSync(file, 10);
  const trouble = await new Promise<unknown>((resolve) => {
    source.onTrouble = resolve;
    assert.is(source.at(0, 1000), undefined);
  });
  assert.instance(trouble, HouseError);
  assert.is((trouble as HouseError).code, 'file-changed');
  await source.close();
});

test('what is not there, or is none of one’s files, is refused as a shelf does', async () => {
  assert.is(await refusal(open('nothing')), 'no-such-file');
  assert.is(await refusal(open('../song')), 'bad-file');
});

test('closed while it reads: nothing comes any more', async () => {
  const source = await open();
  source.onReady = () => assert.unreachable();
  source.at(0, 1000);
  await source.close();
  await source.close();
});

test.run();
