import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkFileName } from '../src/file-names.ts';
import { pathParts } from '../src/http-files.ts';
import {
  baseAt,
  baseOfHost,
  fileHostOf,
  MAX_UPLOAD_NAME_BYTES,
  spellUploadName,
  uploadLink,
  uploadUrl,
} from '../src/upload-links.ts';

const names = suite('upload links: names');

for (const [given, wanted] of [
  ['pic.png', 'pic.png'],
  ['my pic.png', 'my pic.png'],
  ['  a \t b  ', 'a b'],
  ['größe.txt', 'größe.txt'],
  ['漢字.bin', '漢字.bin'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\ann\\pic.png', 'pic.png'],
  ['..\\..\\x', 'x'],
  ['a/', 'file'],
  ['', 'file'],
  ['.', 'file'],
  ['..', 'file'],
  ['...', 'file'],
  ['.bashrc', 'bashrc'],
  ['ends. . .', 'ends'],
  ['a\0b\r\nc.txt', 'abc.txt'],
  ['gpj.\u202egnp.exe', 'gpj.gnp.exe'],
  ['a\u200bb', 'ab'],
  ['a\ud800b', 'ab'],
  ['a"b<c>d|e?f*g:h', 'a_b_c_d_e_f_g_h'],
  ['con', '_con'],
  ['NUL.txt', '_NUL.txt'],
  ['console.log', 'console.log'],
  ['e\u0301', '\u00e9'],
] as const) {
  names(`${JSON.stringify(given)} becomes ${wanted}`, () => assert.is(spellUploadName(given), wanted));
}

names('that are long are cut at a character, and keep their ending', () => {
  assert.is(spellUploadName(`${'x'.repeat(300)}.tar.gz`), `${'x'.repeat(MAX_UPLOAD_NAME_BYTES - 3)}.gz`);
  assert.is(spellUploadName(`${'é'.repeat(300)}.png`), `${'é'.repeat(38)}.png`);
  assert.is(spellUploadName('😀'.repeat(300)), '😀'.repeat(20));
  assert.is(spellUploadName(`a.${'y'.repeat(300)}`), `a.${'y'.repeat(78)}`);
});

names('are safe whatever they were, and stay what they are', () => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ unit: fc.constantFrom('.', ' ', '/', '\\', 'a', 'é', '😀', '\0', '\u202e', 'con', '"', '\ud800') }),
  );
  fc.assert(
    fc.property(anything, (given) => {
      const name = spellUploadName(given);
      assert.is(checkFileName(name, true), name);
      assert.ok(Buffer.byteLength(name) <= MAX_UPLOAD_NAME_BYTES);
      assert.is(spellUploadName(name), name);
    }),
  );
});
names.run();

const links = suite('upload links');

links('lead back to the file, and have nothing at which a link ends in a text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (given) => {
      const name = spellUploadName(given);
      const link = uploadLink('http://a:1', { id: 'ID', name });
      assert.match(link, /^http:\/\/a:1\/upload\/ID\/[\w.%-]+$/);
      assert.equal(pathParts(link.slice('http://a:1'.length)), ['upload', 'ID', name]);
    }),
  );
});

links('begin where the server is reached', () => {
  assert.is(uploadUrl('https://chat.example/parley'), 'https://chat.example/parley/upload');
  assert.is(baseAt({ ip: '10.0.0.1', port: 5000 }, false), 'http://10.0.0.1:5000');
  assert.is(baseAt({ ip: '2001:db8::1', port: 5000 }, true), 'https://[2001:db8::1]:5000');
});

for (const [host, wanted] of [
  ['chat.example', 'http://chat.example'],
  ['chat.example:5000', 'http://chat.example:5000'],
  ['10.0.0.1:5000', 'http://10.0.0.1:5000'],
  ['[::1]:5000', 'http://[::1]:5000'],
  ['a_b', 'http://a_b'],
  [undefined, undefined],
  ['', undefined],
  ['a/b', undefined],
  ['a b', undefined],
  ['user@host', undefined],
  ['a\r\nb', undefined],
  ['a:99999999', undefined],
  ['<script>', undefined],
  ['x'.repeat(300), undefined],
] as const) {
  links(`Host: ${JSON.stringify(host)?.slice(0, 30)} is ${wanted ?? 'none'}`, () =>
    assert.is(baseOfHost(host, false), wanted),
  );
}

for (const [isEncrypted, base, wanted] of [
  [false, 'http://a', 'http://a/upload'],
  [false, 'https://a', 'https://a/upload'],
  [true, 'https://a', 'https://a/upload'],
  [true, 'http://a', undefined],
] as const) {
  links(`${isEncrypted ? 'through TLS' : 'in plain text'} ${base} is told as ${wanted}`, () =>
    assert.is(fileHostOf(isEncrypted, base), wanted),
  );
}
links.run();
