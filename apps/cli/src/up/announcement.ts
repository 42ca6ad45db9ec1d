/** This file owns what the API says to people on its output, read by us: where it listens, and the first key. */

export interface Announcements {
  /** Reads one line of output; true when it was an announcement. */
  read(line: string): boolean;
  /** `http://localhost:8080`. */
  address: Promise<string>;
  /** Comes at the first start of an installation only, before or after the address. */
  firstKey: Promise<string>;
}

export function readAnnouncements(): Announcements {
  let onAddress: (address: string) => void = () => undefined;
  let onFirstKey: (key: string) => void = () => undefined;
  const address = new Promise<string>((resolve) => {
    onAddress = resolve;
  });
  const firstKey = new Promise<string>((resolve) => {
    onFirstKey = resolve;
  });
  return {
    address,
    firstKey,
    read(line) {
      const key = /^API key: (\S+)$/.exec(line)?.[1];
      if (key !== undefined) onFirstKey(key);
      const url = /^http:\/\/localhost:\d+$/.exec(line)?.[0];
      if (url !== undefined) onAddress(url);
      return key !== undefined || url !== undefined;
    },
  };
}
