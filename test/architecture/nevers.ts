/** This file owns what code may never do, and the few places that may. */
import { DOMAINS } from './arrows.ts';
import type { Source, Tree } from './source-tree.ts';

interface Never {
  what: string;
  /** Looked for in code without comments. */
  pattern: RegExp;
  in: (source: Source) => boolean;
  /** Who may, and why. */
  except?: RegExp;
}

const product = ({ isProduct, path }: Source) => isProduct && path.endsWith('.ts');
const lua = ({ path }: Source) => path.endsWith('.lua');
const everything = ({ path }: Source) => path.endsWith('.ts') && !path.startsWith('test/architecture/');

const NEVERS: readonly Never[] = [
  {
    what: 'reads the environment',
    pattern: /\bprocess\.env\b/,
    in: product,
    // The one door of each app, and the main that hands the environment to it.
    except: /^apps\/[^/]+\/src\/(config|main)\.ts$/,
  },
  {
    what: 'picks from the environment',
    pattern: /\bprocess\.env\s*[.[]|\bprocess\.env\s*(\)|\})?\s*=[^=]|=\s*process\.env\b/,
    in: ({ path }) => /^apps\/[^/]+\/src\/main\.ts$/.test(path),
  },
  {
    what: 'opens a Redis client',
    pattern: /\bnew\s+(Redis|Cluster|IORedis)\b/,
    in: product,
    except: /^packages\/redis\/src\/connect\.ts$/,
  },
  {
    what: 'ends the process or listens to it',
    pattern: /\bprocess\.(exit|on|once)\(/,
    in: ({ path, isProduct }) => isProduct && path.startsWith('packages/'),
    // Signals have one owner; a job's own process listens to its parent; a server's child must not outlive us.
    except:
      /^packages\/(runtime\/src\/lifecycle|jobs\/src\/sandbox-child|redis\/src\/embedded\/server-child)\.ts$/,
  },
  { what: 'empties a whole Redis', pattern: /\.flush(db|all)\b|['"]flush(db|all)['"]\s*[,)]/i, in: product },
  { what: 'empties a whole Redis', pattern: /['"]flush(db|all)['"]/i, in: lua },
  {
    what: 'lists all keys with KEYS',
    pattern: /\b(client|redis|node|connection|pipeline)\.keys\(|\bcall\(\s*['"]keys['"]/i,
    in: product,
  },
  { what: 'lists all keys with KEYS', pattern: /call\(\s*['"]keys['"]/i, in: lua },
  {
    what: 'makes a key outside keys.ts',
    pattern: /\.root\(/,
    in: product,
    except: /\/keys\.ts$/,
  },
  {
    what: 'makes a key of a queue',
    pattern: /\.queuePrefix\(/,
    in: product,
    // BullMQ makes its keys itself, and is told the prefix where a queue, a worker or a flow is opened.
    except: /^packages\/jobs\/src\/|^apps\/api\/src\/board\//,
  },
  {
    what: 'decides by the text of an error',
    pattern:
      /\.message\s*(===|!==)|\.message\.(includes|match|startsWith|endsWith|indexOf|search)\b|\.test\([\w.?]*\.message\)/,
    in: product,
    // Redis says what is wrong in words, and nowhere else.
    except: /^packages\/redis\/src\/fault\.ts$/,
  },
  {
    what: 'opens something when it is imported',
    pattern:
      /^(export )?(const|let) [\w{},: ]+ = (await )?(connect|createLog|startEmbeddedRedis|startAll|spawn|createServer|serve|setInterval|setTimeout)\(/m,
    in: product,
  },
  { what: 'lists names it does not know', pattern: /^export \* /m, in: everything },
  {
    what: 'leaves a test out',
    pattern: /\b(test|it|describe)\.(only|skip|todo|fails)\b|\b(xit|xdescribe|fit|fdescribe)\(/,
    in: everything,
  },
  { what: 'talks the compiler out of it', pattern: /\bas any\b|: any\b|<any>|\bany\[\]/, in: everything },
];

/** Orders to checkers live in comments, so the whole text is looked at. */
const SILENCED = /@ts-(ignore|expect-error|nocheck)|biome-ignore|(eslint|oxlint)-disable/;

export function neversDone({ sources }: Tree): string[] {
  const done = sources.flatMap((source) =>
    NEVERS.filter(
      (never) => never.in(source) && !never.except?.test(source.path) && never.pattern.test(source.code),
    ).map(({ what }) => `${source.path} ${what}`),
  );
  const silenced = sources
    .filter((source) => everything(source) && SILENCED.test(source.text))
    .map(({ path }) => `${path} silences a checker`);
  return [...done, ...silenced];
}

/**
 * Lua that makes a key of its own breaks a Cluster, whose keys must be declared. One exception, with its reason: the
 * scripts of `packages/jobs` read and write what BullMQ does, and BullMQ's key of a job is the job's id, found in a list
 * by the script itself, behind a beginning that is the same for the queue. That beginning is declared as a key named
 * `base`, which lies in the slot of all the others by the queue's hash tag. Only to it may something be joined.
 */
const JOB_SCRIPTS = /^packages\/jobs\/src\/lua\//;
const JOB_KEY_BASE = 'base';

export function keysMadeInLua({ sources }: Tree): string[] {
  return sources.filter(lua).flatMap((source) => {
    const isBase = (name: string) =>
      JOB_SCRIPTS.test(source.path) && nameOfKey(source, name) === JOB_KEY_BASE;
    const names = ['KEYS\\[[^\\]]+\\]', ...aliasesOfKeys(source.code).map((name) => `\\b${name}\\b`)].join(
      '|',
    );
    const isJoined = new RegExp(`(${names})\\s*\\.\\.|\\.\\.\\s*(${names})(?!\\s*\\.\\.)`, 'g');
    return source.code.split('\n').flatMap((line) => {
      const joined = [...line.matchAll(isJoined)].map((match) => match[1] ?? match[2] ?? '');
      const isOffence = joined.some((name) => !isBase(name)) || (joined.length === 0 && isMadeInCall(line));
      return isOffence ? [`${source.path} makes a key: ${line.trim()}`] : [];
    });
  });
}

/** A command whose first argument is a text, or something joined. */
function isMadeInCall(line: string): boolean {
  return /\bp?call\(\s*['"](?!(TIME|PUBLISH|SPUBLISH|INFO)\b)[A-Za-z]+['"]\s*,\s*(['"]|[^,()]*\.\.)/i.test(
    line,
  );
}

/** What the header calls `KEYS[2]`, or the script's own name for a key. */
function nameOfKey({ text }: Source, name: string): string {
  const index = /^KEYS\[(\d+)\]$/.exec(name)?.[1];
  if (index === undefined) return name;
  return new RegExp(`^-- KEYS\\[${index}\\] (\\w+)`, 'm').exec(text)?.[1] ?? '';
}

/** Local names that stand for declared keys: `local bucket, meta = KEYS[1], KEYS[2]`. */
function aliasesOfKeys(code: string): string[] {
  return [...code.matchAll(/\blocal\s+([\w\s,]+?)\s*=\s*([^\n]+)/g)].flatMap(
    ([, names = '', values = '']) => {
      const given = values.split(',').map((value) => value.trim());
      return names
        .split(',')
        .map((name) => name.trim())
        .filter((_, index) => /^KEYS\[[^\]]+\]$/.test(given[index] ?? ''));
    },
  );
}

const OWNS = /^(#![^\n]*\n)?\s*\/\*\*[\s*]*This file owns /;
/** Style: about 100 lines, ask at 250, never over this. */
const MAX_LINES = 350;
const MAX_EXPORTS = 20;
const EMPTY_WORDS = /(^|-)(manager|helpers?|utils?|base|data|info|common|misc)(-|\.|$)/;

export function filesOutOfShape({ sources }: Tree): string[] {
  return sources
    .filter(({ isProduct }) => isProduct)
    .flatMap(({ path, text, code }) => {
      const name = path.split('/').at(-1) ?? '';
      const isIndex = /\/src\/index\.ts$/.test(path);
      const isTypeScript = path.endsWith('.ts');
      const exports = code.match(/^export\b/gm)?.length ?? 0;
      return [
        ...(text.split('\n').length > MAX_LINES + 1 ? [`${path} has more than ${MAX_LINES} lines`] : []),
        ...(isTypeScript && !isIndex && !OWNS.test(text) ? [`${path} does not say what it owns`] : []),
        ...(!isTypeScript && !/^-- \S/.test(text) ? [`${path} does not say what it does`] : []),
        ...(isIndex && exports > MAX_EXPORTS
          ? [`${path} has ${exports} export lines, at most ${MAX_EXPORTS}`]
          : []),
        ...(isIndex && /^(?!export\b|\s|\}|\/\*|\*|$)./m.test(code)
          ? [`${path} does more than list names`]
          : []),
        ...(/^[a-z0-9]+(-[a-z0-9]+)*\.(ts|lua)$/.test(name) ? [] : [`${path} is not named in kebab-case`]),
        ...(EMPTY_WORDS.test(name) && !ALLOWED_NAMES.has(path) ? [`${path} is named by an empty word`] : []),
        ...[...code.matchAll(/\bclass (\w*(Manager|Helper|Utils?|Base|Info))\b/g)].map(
          (match) => `${path} has a class ${match[1]}`,
        ),
      ];
    });
}

/** A job's `data` is the word of the contract, here and in BullMQ. */
const ALLOWED_NAMES: ReadonlySet<string> = new Set([
  'packages/jobs/src/data.ts',
  'packages/jobs/src/lua/update-data.lua',
]);

/** Whoever knows one domain knows the next. */
export function domainsOutOfShape({ sources }: Tree): string[] {
  const paths = new Set(sources.map(({ path }) => path));
  return DOMAINS.flatMap((domain) => {
    const root = `packages/${domain}/src`;
    const wanted = ['index.ts', 'schemas.ts', 'keys.ts', 'scripts.ts'].map((file) => `${root}/${file}`);
    const scripts = sources.find(({ path }) => path === `${root}/scripts.ts`)?.code ?? '';
    const unused = [...paths].filter(
      (path) =>
        path.startsWith(`${root}/lua/`) &&
        !scripts.includes(path.split('/').at(-1)?.replace('.lua', '') ?? path),
    );
    return [
      ...wanted.filter((path) => !paths.has(path)).map((path) => `${path} is missing`),
      ...unused.map((path) => `${path} is declared by no script`),
    ];
  });
}
