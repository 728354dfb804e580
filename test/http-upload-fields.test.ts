import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HouseCode } from '../src/errors.ts';
import {
  isForm,
  isTagAmong,
  readBasic,
  readFileName,
  readLength,
  readType,
  uploadFields,
  uploadStatusOf,
} from '../src/http-upload-fields.ts';
import { spellUploadName } from '../src/upload-links.ts';

const latin1 = (text: string) => Buffer.from(text).toString('latin1');

const heard = suite('upload fields: what comes');

for (const [field, wanted] of [
  ['attachment; filename="pic.png"', 'pic.png'],
  ['attachment; filename=pic.png', 'pic.png'],
  ['attachment;filename=pic.png;x=y', 'pic.png'],
  ['filename="a b.txt"', 'a b.txt'],
  ['ATTACHMENT; FILENAME="a"', 'a'],
  ['attachment; filename = "a"', 'a'],
  ['attachment; filename="a\\"b\\\\c"', 'a"b\\c'],
  ['attachment; filename="C:\\dir\\pic.png"', 'C:\\dir\\pic.png'],
  ['attachment; filename="x"; filename*=UTF-8\'\'gr%C3%B6%C3%9Fe.txt', 'größe.txt'],
  ["attachment; filename*=utf-8'de'gr%C3%B6%C3%9Fe.txt; filename=x", 'größe.txt'],
  ["attachment; filename*=ISO-8859-1''gr%F6%DFe", 'größe'],
  ['attachment; filename*=UTF-8\'\'%zz; filename="x"', 'x'],
  ['attachment; filename*=KOI8-R\'\'abc; filename="x"', 'x'],
  [`attachment; filename="${latin1('größe.txt')}"`, 'größe.txt'],
  ['attachment; filename="gr\xf6\xdfe.txt"', 'größe.txt'],
  ['attachment; filename=""', undefined],
  ['attachment; myfilename="a"', undefined],
  ['attachment', undefined],
  ['', undefined],
  [undefined, undefined],
] as const) {
  heard(`Content-Disposition: ${field} names ${wanted}`, () => assert.is(readFileName(field), wanted));
}

const basic = (text: string) => Buffer.from(text).toString('base64');
for (const [field, wanted] of [
  [`Basic ${basic('ann:secret')}`, ['ann', 'secret']],
  [`basic  ${basic('ann:se:cret')}`, ['ann', 'se:cret']],
  [`Basic ${basic('Änn:pässwort')}`, ['Änn', 'pässwort']],
  [`Basic ${Buffer.from('ann:\xe4', 'latin1').toString('base64')}`, ['ann', 'ä']],
  [`Basic ${basic('ann:')}`, ['ann', '']],
  [`Basic ${basic(':')}`, ['', '']],
  [`Basic ${basic('ann')}`, undefined],
  ['Basic', undefined],
  ['Basic !!!', undefined],
  ['Basic a', undefined],
  ['Bearer abc', undefined],
  ['', undefined],
] as const) {
  heard(`Authorization: ${field} is ${wanted ? wanted.join(' and ') : 'none'}`, () => {
    const found = readBasic(field);
    assert.equal(found && [found.name, found.password], wanted);
  });
}

for (const [type, name, wanted] of [
  ['image/png', 'x', 'image/png'],
  ['IMAGE/PNG', 'x', 'image/png'],
  ['text/plain; charset=UTF-8', 'x', 'text/plain; charset=utf-8'],
  ['text/plain;charset="iso-8859-1"', 'x', 'text/plain; charset=iso-8859-1'],
  ['text/plain; charset="a b"', 'x', 'text/plain'],
  ['text/html', 'x.png', 'text/html'],
  ['image/svg+xml', 'x', 'image/svg+xml'],
  ['application/x-www-form-urlencoded', 'x.png', 'image/png'],
  ['application/octet-stream', 'X.JPG', 'image/jpeg'],
  [undefined, 'notes.txt', 'text/plain'],
  [undefined, 'page.html', 'application/octet-stream'],
  [undefined, 'file', 'application/octet-stream'],
  [undefined, 'a.constructor', 'application/octet-stream'],
  ['nonsense', 'a', 'application/octet-stream'],
  ['a/b/c', 'a', 'application/octet-stream'],
  [`a/${'b'.repeat(200)}`, 'a', 'application/octet-stream'],
  ['image/png, text/html', 'a', 'application/octet-stream'],
] as const) {
  heard(`${type} for ${name} is ${wanted}`, () => assert.is(readType(type, name), wanted));
}

heard('a length is a whole number or none', () => {
  const lengths = ['0', '5', '999999999999999', undefined, '', '-1', '5.0', '0x5', '1e3', '9'.repeat(16)].map(
    readLength,
  );
  assert.equal(lengths, [0, 5, 999_999_999_999_999, ...new Array(7).fill(undefined)]);
});

heard('a form is told from a file', () => {
  assert.equal(['multipart/form-data; boundary=x', 'MULTIPART/mixed', 'image/png', undefined].map(isForm), [
    true,
    true,
    false,
    false,
  ]);
});

heard('whatever stands in a field, it is read or not', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      readFileName(`attachment; filename*=UTF-8''${text}`);
      readFileName(`attachment; filename="${text}`);
      readBasic(`Basic ${text}`);
      assert.match(readType(text, text), /^[\x21-\x7e]+(?:; charset=[\w-]+)?$/);
    }),
  );
});
heard.run();

const told = suite('upload fields: what is told');
const DAY = 86_400_000;
const about = { id: 'some-id', name: 'pic.png', type: 'image/png', at: Date.UTC(2026, 0, 2, 3, 4, 5) };

for (const [type, shown, how] of [
  ['image/png', 'image/png', 'inline'],
  ['image/jpeg', 'image/jpeg', 'inline'],
  ['video/mp4', 'video/mp4', 'inline'],
  ['audio/ogg', 'audio/ogg', 'inline'],
  ['text/plain', 'text/plain; charset=utf-8', 'inline'],
  ['text/plain; charset=iso-8859-1', 'text/plain; charset=iso-8859-1', 'inline'],
  ['text/html', 'application/octet-stream', 'attachment'],
  ['image/svg+xml', 'application/octet-stream', 'attachment'],
  ['application/xml', 'application/octet-stream', 'attachment'],
  ['text/javascript', 'application/octet-stream', 'attachment'],
  ['text/css', 'application/octet-stream', 'attachment'],
  ['application/pdf', 'application/octet-stream', 'attachment'],
  ['multipart/x-mixed-replace', 'application/octet-stream', 'attachment'],
] as const) {
  told(`${type} is ${how}`, () => {
    const fields = uploadFields({ ...about, type }, DAY);
    assert.is(fields['Content-Type'], shown);
    assert.ok(fields['Content-Disposition']?.startsWith(`${how}; `));
    assert.is(fields['X-Content-Type-Options'], 'nosniff');
    assert.match(fields['Content-Security-Policy'] ?? '', /^default-src 'none'; .*; sandbox$/);
  });
}

told('any name goes through a header and back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (given) => {
      const name = spellUploadName(given);
      const field = uploadFields({ ...about, name }, DAY)['Content-Disposition'] ?? '';
      assert.match(field, /^[\x20-\x7e]+$/);
      assert.is(readFileName(field), name);
    }),
  );
});

told('nothing is held elsewhere for longer than here, or than a day', () => {
  const ages = [2 * DAY, 5000, 0, -5000].map((left) => uploadFields(about, left)['Cache-Control']);
  assert.equal(
    ages,
    [86_400, 5, 0, 0].map((seconds) => `private, max-age=${seconds}, immutable`),
  );
  assert.is(uploadFields(about, 0)['Last-Modified'], 'Fri, 02 Jan 2026 03:04:05 GMT');
});

told('a tag is found among others', () => {
  const found = ['"a"', 'W/"a"', '"b", "a"', '*', '"b"', 'a', '', undefined].map((field) => isTagAmong('"a"', field));
  assert.equal(found, [true, true, true, true, false, false, false, false]);
});

const STATUSES: Array<[HouseCode, number]> = [
  ['too-long', 413],
  ['full', 507],
  ['too-fast', 429],
  ['wrong-password', 401],
  ['not-allowed', 401],
  ['bad-file', 400],
  ['no-such-file', 404],
  ['disk', 500],
];
for (const [code, status] of STATUSES) told(`${code} is ${status}`, () => assert.is(uploadStatusOf(code), status));
told.run();
