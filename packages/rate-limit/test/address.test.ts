import { describe, expect, it } from 'vitest';
import { addressKey, clientAddressBy } from '../src/index.ts';

const request = (socketAddress: string | undefined, forwardedFor?: string) => ({
  socketAddress,
  forwardedFor,
});

describe('the client address', () => {
  it('is the peer of the connection when no proxy is ours, whatever the header claims', () => {
    const clientAddress = clientAddressBy(0);

    expect(clientAddress(request('203.0.113.7', '1.2.3.4'))).toBe('203.0.113.7');
    expect(clientAddress(request('::ffff:203.0.113.7'))).toBe('203.0.113.7');
    expect(clientAddress(request(undefined, '1.2.3.4'))).toBe('unknown');
  });

  it('is counted from the right, one entry for each proxy of ours', () => {
    const header = '6.6.6.6, 5.5.5.5, 203.0.113.7, 10.0.0.2';

    expect(clientAddressBy(1)(request('10.0.0.1', header))).toBe('10.0.0.2');
    expect(clientAddressBy(2)(request('10.0.0.1', header))).toBe('203.0.113.7');
    expect(clientAddressBy(3)(request('10.0.0.1', header))).toBe('5.5.5.5');
    expect(clientAddressBy(9)(request('10.0.0.1', header))).toBe('6.6.6.6');
    expect(clientAddressBy(2)(request('10.0.0.1'))).toBe('10.0.0.1');
  });

  it('is the first from the right that is no proxy of ours', () => {
    const clientAddress = clientAddressBy(['10.0.0.0/8', 'fd00::/8']);

    expect(clientAddress(request('::ffff:10.0.0.1', '6.6.6.6, 203.0.113.7, 10.9.9.9, fd00::5'))).toBe(
      '203.0.113.7',
    );
    expect(clientAddress(request('203.0.113.9', '6.6.6.6'))).toBe('203.0.113.9');
    expect(clientAddress(request('10.0.0.1', '10.0.0.2'))).toBe('10.0.0.2');
  });

  it('stops at an entry that is no address', () => {
    const clientAddress = clientAddressBy(3);
    const spoofs = [
      'unknown',
      '',
      '_hidden',
      '127.1',
      '0x7f.0.0.1',
      '017700000001',
      '1.2.3.4.5',
      '256.1.1.1',
      '<script>',
      '::g',
      '1:2:3',
    ];

    for (const spoof of spoofs) {
      expect(clientAddress(request('10.0.0.1', `6.6.6.6, ${spoof}, 10.0.0.2`)), spoof).toBe('10.0.0.2');
    }
  });

  it('reads ports, brackets and zones away', () => {
    const clientAddress = clientAddressBy(1);

    expect(clientAddress(request('10.0.0.1', '203.0.113.7:443'))).toBe('203.0.113.7');
    expect(clientAddress(request('10.0.0.1', '[2001:DB8:0::0001]:443'))).toBe('2001:db8::1');
    expect(clientAddress(request('10.0.0.1', '[::ffff:203.0.113.7]'))).toBe('203.0.113.7');
    expect(clientAddress(request('10.0.0.1', 'fe80::1%eth0'))).toBe('fe80::1');
  });

  it('is looked for in a bounded number of entries', () => {
    const header = `6.6.6.6, ${'10.0.0.2, '.repeat(1_000)}10.0.0.3`;

    expect(clientAddressBy(['10.0.0.0/8'])(request('10.0.0.1', header))).toBe('10.0.0.2');
  });

  it('refuses a faulty setting at once', () => {
    expect(() => clientAddressBy(-1)).toThrow(TypeError);
    expect(() => clientAddressBy(1.5)).toThrow(TypeError);
    expect(() => clientAddressBy(['10.0.0.0'])).toThrow("'10.0.0.0' is not a CIDR");
  });
});

describe('the key of an address', () => {
  it('is an IPv4 address whole, however it is written', () => {
    expect(addressKey('203.0.113.7')).toBe('203.0.113.7');
    expect(addressKey('::ffff:203.0.113.7')).toBe('203.0.113.7');
    expect(addressKey('::FFFF:cb00:7107')).toBe('203.0.113.7');
  });

  it('is the /64 of an IPv6 address: who owns it may use any of 2^64 others', () => {
    expect(addressKey('2001:db8:1:2:aaaa:bbbb:cccc:dddd')).toBe('2001:db8:1:2::/64');
    expect(addressKey('2001:db8:1:2::1')).toBe('2001:db8:1:2::/64');
    expect(addressKey('2001:db8:1:3::1')).toBe('2001:db8:1:3::/64');
    expect(addressKey('::1')).toBe('::/64');
  });

  it('is what it is when it is no address', () => {
    expect(addressKey('unknown')).toBe('unknown');
  });
});
