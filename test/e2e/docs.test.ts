import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { blocks, ROOT, replay } from './document.ts';

const run = promisify(execFile);
/** Its test asks for more: every route must be in it. */
const GUIDE = 'docs/http-guide.md';

const folder = async (path: string) =>
  (await readdir(join(ROOT, path))).filter((name) => name.endsWith('.md')).map((name) => join(path, name));
const pages = [...(await folder('.')), ...(await folder('docs'))];
const texts = new Map(
  await Promise.all(pages.map(async (page) => [page, await readFile(join(ROOT, page), 'utf8')] as const)),
);
const withCommands = pages.filter(
  (page) => page !== GUIDE && blocks(texts.get(page) as string, 'sh guide').length > 0,
);

/** As GitHub makes them of headings. */
function anchors(text: string): Set<string> {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      (heading as string)
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

async function brokenLinks(page: string): Promise<string[]> {
  const text = texts.get(page) as string;
  const links = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/\]\(([^)\s]+)\)/g)];
  const broken = links.map(async ([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return undefined;
    const [path, anchor] = link.split('#');
    const target = path ? relative(ROOT, resolve(ROOT, dirname(page), path)) : page;
    const isThere = await access(join(ROOT, target)).then(
      () => true,
      () => false,
    );
    if (!isThere) return `${page}: ${link}`;
    const other = anchor && target.endsWith('.md') ? await readFile(join(ROOT, target), 'utf8') : undefined;
    return other === undefined || anchors(other).has(anchor as string) ? undefined : `${page}: ${link}`;
  });
  return (await Promise.all(broken)).filter((each) => each !== undefined);
}

describe('the pages', () => {
  it('link to pages and headings that are there', async () => {
    expect((await Promise.all(pages.map(brokenLinks))).flat()).toEqual([]);
  });

  it('show TypeScript that compiles as it stands', { timeout: 60_000 }, async (t) => {
    const programs = pages.flatMap((page) =>
      blocks(texts.get(page) as string, 'ts')
        .filter((code) => code.includes('import '))
        .map((code, at) => [`${page.replaceAll(/\W/g, '-')}-${at}.ts`, code] as const),
    );
    const cache = join(ROOT, 'node_modules/.cache/sluice-docs');
    await mkdir(cache, { recursive: true });
    const directory = await mkdtemp(join(cache, 'run-'));
    t.onTestFinished(() => rm(directory, { recursive: true, force: true }));
    await Promise.all(programs.map(([name, code]) => writeFile(join(directory, name), code)));
    await writeFile(
      join(directory, 'tsconfig.json'),
      JSON.stringify({
        extends: join(ROOT, 'tsconfig.check.json'),
        // What a page leaves out is for its reader to fill in.
        compilerOptions: { noUnusedLocals: false },
        include: ['*.ts'],
      }),
    );

    const { stdout } = await run('npx', ['tsc', '-p', directory], { cwd: ROOT }).catch(
      (error: { stdout: string }) => error,
    );

    expect(programs.length).toBeGreaterThan(5);
    expect(stdout).toBe('');
  });

  it.for(withCommands)(
    '%s has commands that work and answer what it says',
    {
      timeout: 90_000,
    },
    async (page, t) => {
      const { faults } = await replay(t, texts.get(page) as string);

      expect(faults).toEqual([]);
    },
  );
});
