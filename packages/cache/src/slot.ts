/** This file owns the arithmetic of Redis Cluster's hash slots: which slot a key is in, and a hash tag for a slot. */

const SLOTS = 16_384;

/** CRC16-XMODEM of the hash tag, or of the whole key, modulo 16384 (Redis Cluster specification, "Hash tags"). */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  if (open !== -1) {
    const close = key.indexOf('}', open + 1);
    if (close > open + 1) return crc16(Buffer.from(key.slice(open + 1, close))) % SLOTS;
  }
  return crc16(Buffer.from(key)) % SLOTS;
}

let tags: string[] | undefined;

/** A short text whose slot is `slot`; the table of all slots is made once, when the first is asked for. */
export function tagOfSlot(slot: number): string {
  tags ??= tagTable();
  return tags[slot] as string;
}

function tagTable(): string[] {
  const table: string[] = new Array(SLOTS);
  let missing = SLOTS;
  for (let number = 0; missing > 0; number += 1) {
    const tag = number.toString(36);
    const slot = slotOf(tag);
    if (table[slot] !== undefined) continue;
    table[slot] = tag;
    missing -= 1;
  }
  return table;
}

function crc16(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
