import net from 'node:net';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cidr, formatCidr, isInCidr, parseCidr, parseIp } from '../src/cidr.ts';

const cidr = suite('cidr');

const GOOD: ReadonlyArray<readonly [written: string, plain: string]> = [
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['10.1.2.3/8', '10.0.0.0/8'],
  ['198.51.100.7', '198.51.100.7'],
  ['198.51.100.7/32', '198.51.100.7'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['192.168.100.0/22', '192.168.100.0/22'],
  [' 10.0.0.1 ', '10.0.0.1'],
  ['::1', '::1'],
  ['::', '::'],
  ['::/0', '::/0'],
  ['2001:DB8::/32', '2001:db8::/32'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:1:2:3:4:5:6/64', '2001:db8:1:2::/64'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['fe80::1%eth0', 'fe80::1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
];
for (const [written, plain] of GOOD) {
  cidr(`${written} is ${plain}`, () => assert.is(formatCidr(parseCidr(written) as Cidr), plain));
}

const BAD = [
  '',
  'alice',
  '10',
  '10.0.0',
  '10.0.0.256',
  '10.0.0.01',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/',
  '10.0.0.0/8/8',
  '10.0.0.0/8x',
  '1.2.3.4.5',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7::8:9',
  '12345::',
  'g::',
  '::1/129',
  '::1.2.3',
  '1.2.3.4::',
];
for (const written of BAD) {
  cidr(`${JSON.stringify(written)} is none`, () => assert.is(parseCidr(written), undefined));
}

const IN: ReadonlyArray<readonly [network: string, ip: string, is: boolean]> = [
  ['10.0.0.0/8', '10.255.0.1', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['192.168.4.0/22', '192.168.7.255', true],
  ['192.168.4.0/22', '192.168.8.0', false],
  ['198.51.100.7', '198.51.100.7', true],
  ['198.51.100.7', '198.51.100.6', false],
  ['0.0.0.0/0', '1.2.3.4', true],
  ['0.0.0.0/0', '::1', false],
  ['::/0', '1.2.3.4', false],
  ['2001:db8::/32', '2001:db8:ffff::1', true],
  ['2001:db8::/32', '2001:db9::1', false],
  ['127.0.0.0/8', '::ffff:127.0.0.1', true],
  ['fe80::/10', 'fe80::1%eth0', true],
];
for (const [network, ip, is] of IN) {
  cidr(`${ip} is ${is ? '' : 'not '}in ${network}`, () => {
    assert.is(isInCidr(parseCidr(network) as Cidr, parseIp(ip) as number[]), is);
  });
}

cidr('agrees with the system about every network and address', () => {
  const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 }), fc.ipV4(), fc.constant('ipv4' as const));
  const v6 = fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 }), fc.ipV6(), fc.constant('ipv6' as const));
  fc.assert(
    fc.property(fc.oneof(v4, v6), ([network, bits, other, family]) => {
      fc.pre(!/^(?:0*:){5,6}f{4}:/i.test(network) && !/::ffff:|^::\d/i.test(network + other));
      const those = new net.BlockList();
      those.addSubnet(network, bits, family);
      const found = parseCidr(`${network}/${bits}`) as Cidr;
      for (const ip of [network, other]) {
        assert.is(isInCidr(found, parseIp(ip) as number[]), those.check(ip, family), `${ip} in ${network}/${bits}`);
      }
      assert.equal(parseCidr(formatCidr(found)), found);
    }),
  );
});

cidr('any text is an address, a network or nothing', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseCidr(text)));
});
cidr.run();
