import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Interfaces, localIpFor, peerIp, plainIp } from '../src/addresses.ts';

const test = suite('addresses');

const PLAIN: Array<[string | undefined, string]> = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::1', '::1'],
  [undefined, ''],
];
for (const [ip, plain] of PLAIN) {
  test(`${ip} is written ${JSON.stringify(plain)}`, () => assert.is(plainIp(ip), plain));
}

const SENDABLE: Array<[string | undefined, string]> = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  [undefined, ''],
];
for (const [ip, sendable] of SENDABLE) {
  test(`what comes from ${ip} is answered to ${JSON.stringify(sendable)}`, () => assert.is(peerIp(ip), sendable));
}

const four = (address: string, netmask: string, internal = false) => ({ address, netmask, family: 'IPv4', internal });
const six = (address: string, netmask: string, internal = false) => ({ address, netmask, family: 'IPv6', internal });
const OURS = [
  four('127.0.0.1', '255.0.0.0', true),
  six('::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', true),
  four('192.0.2.10', '255.255.255.0'),
  four('10.1.2.3', '255.255.0.0'),
  six('fe80::aaaa', 'ffff:ffff:ffff:ffff::'),
  six('2001:db8:0:1::5', 'ffff:ffff:ffff:ffff::'),
];

const NEAR: Array<[string, string]> = [
  ['127.0.0.1', '127.0.0.1'],
  ['127.9.9.9', '127.0.0.1'],
  ['192.0.2.77', '192.0.2.10'],
  ['10.1.255.1', '10.1.2.3'],
  ['203.0.113.5', '192.0.2.10'],
  ['::1', '::1'],
  ['fe80::1', 'fe80::aaaa'],
  ['fe80::1%eth0', 'fe80::aaaa'],
  ['2001:db8:0:1:ffff::9', '2001:db8:0:1::5'],
  ['2001:db8:0:2::9', 'fe80::aaaa'],
];
for (const [remote, ours] of NEAR) {
  test(`${remote} reaches us at ${ours}`, () => assert.is(localIpFor(remote, OURS), ours));
}

test('of networks within each other, the smallest counts', () => {
  const nested = [
    four('10.0.0.1', '255.0.0.0'),
    four('10.1.2.3', '255.255.255.128'),
    four('10.1.0.1', '255.255.0.0'),
    six('2001:db8::1', 'ffff:ffff::'),
    six('2001:db8:0:1::5', 'ffff:ffff:ffff:ffff::'),
  ];
  assert.is(localIpFor('10.1.2.99', nested), '10.1.2.3');
  assert.is(localIpFor('10.1.2.200', nested), '10.1.0.1');
  assert.is(localIpFor('10.2.0.1', nested), '10.0.0.1');
  assert.is(localIpFor('2001:db8:0:1::9', nested), '2001:db8:0:1::5');
});

test('the system is asked for our interfaces every 5 s', () => {
  const clock = { now: 0 };
  let asked = 0;
  const ours = new Interfaces(
    () => [four(`192.0.2.${++asked}`, '255.255.255.0')],
    () => clock.now,
  );
  const first = () => ours.list()[0]?.address;
  assert.equal([first(), first()], ['192.0.2.1', '192.0.2.1']);
  clock.now = 4999;
  assert.is(first(), '192.0.2.1');
  clock.now = 5000;
  assert.is(first(), '192.0.2.2');
});

test('a system that can’t say has said what it said before', () => {
  const clock = { now: 0 };
  let fails = true;
  const ours = new Interfaces(
    () => {
      if (fails) throw new Error('too many open files');
      return OURS;
    },
    () => clock.now,
  );
  assert.equal(ours.list(), []);
  fails = false;
  assert.equal(ours.list(), OURS, 'it is asked again at once');
  fails = true;
  clock.now = 5000;
  assert.equal(ours.list(), OURS);
});

test('a machine without a network has the loopback', () => {
  assert.is(localIpFor('192.0.2.1', []), '127.0.0.1');
  assert.is(localIpFor('2001:db8::1', []), '::1');
  assert.is(localIpFor('192.0.2.1', [four('127.0.0.1', '255.0.0.0', true)]), '127.0.0.1');
});

test('this machine has an address for itself', () => assert.is(localIpFor('127.0.0.1'), '127.0.0.1'));

test.run();
