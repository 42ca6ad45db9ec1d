/** This file owns one writing process of the file driver's test: counts to a number in a session that others count in too. */
import { FileSessionDriver } from '../src/file-driver.ts';
import { Sessions } from '../src/sessions.ts';

const [directory = '', secret = '', token = '', times = '0'] = process.argv.slice(2);
const sessions = new Sessions({
  driver: new FileSessionDriver({ directory }),
  secret: Buffer.from(secret, 'hex'),
});
let counted = 0;
while (counted < Number(times)) {
  try {
    await sessions.update(token, ({ count }) => ({ count: Number(count) + 1 }));
    counted += 1;
  } catch (error) {
    // The others were faster ten times over: nothing was written, so it is tried again.
    if ((error as { code?: string }).code !== 'session_conflict') throw error;
  }
}
