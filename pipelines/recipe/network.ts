/** An IPv4 network, addresses as numbers. */
export interface Network {
  /** The address as it was written. */
  readonly written: number;
  /** The network's own address. */
  readonly first: number;
  readonly prefix: number;
  /** How many hosts it has room for. */
  readonly hosts: number;
}

/** An IPv4 address as a number; undefined when it is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  const isSound = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
  return isSound ? parts.reduce((sum, part) => sum * 256 + Number(part), 0) : undefined;
}

/** An address in dotted decimal. */
export function addressOf(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** A network such as `192.168.50.0/24`; undefined when it is none. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', bits = '', ...more] = text.split('/');
  const written = parseAddress(address);
  const prefix = /^\d{1,2}$/.test(bits) ? Number(bits) : Number.NaN;
  if (written === undefined || more.length > 0 || !(prefix >= 1 && prefix <= 30)) return undefined;
  const size = 2 ** (32 - prefix);
  return { written, first: written - (written % size), prefix, hosts: size - 2 };
}
