/**
 * This file owns doing what a Dockerfile says without Docker: each stage is a folder, COPY copies between them, RUN runs in
 * them. For Dockerfiles that name no absolute path in RUN; users, ports and mounts are not imitated.
 */
import { readFileSync } from 'node:fs';
import { chmod, cp, mkdir, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

export interface Instruction {
  name: string;
  text: string;
}

/** What the image would start with. */
export interface Image {
  root: string;
  env: Record<string, string>;
  workdir: string;
  user: string | undefined;
  command: string[];
  healthCommand: string[];
}

export function readDockerfile(path: string): Instruction[] {
  const lines = readFileSync(path, 'utf8').replace(/\\\n/g, ' ').split('\n');
  return lines
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', text = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
      return { name, text };
    });
}

export interface BuildOptions {
  dockerfile: string;
  context: string;
  /** Takes the stages. */
  folder: string;
  /** Does a RUN's command in a folder; rejects when it fails. */
  run: (command: string, cwd: string) => Promise<void>;
}

export async function buildImage({ dockerfile, context, folder, run }: BuildOptions): Promise<Image> {
  const stages = new Map<string, string>();
  let image: Image | undefined;
  for (const { name, text } of readDockerfile(dockerfile)) {
    if (name === 'FROM') {
      const [, as = `stage-${stages.size}`] = / AS (\S+)/.exec(text) ?? [];
      const root = join(folder, as);
      await mkdir(root);
      stages.set(as, root);
      image = { root, env: {}, workdir: '/', user: undefined, command: [], healthCommand: [] };
      continue;
    }
    if (!image) throw new Error(`${name} before FROM`);
    await follow({ name, text }, image, { context, stages, run });
  }
  if (!image) throw new Error(`${dockerfile} has no FROM`);
  return image;
}

async function follow(
  { name, text }: Instruction,
  image: Image,
  { context, stages, run }: Pick<BuildOptions, 'context' | 'run'> & { stages: ReadonlyMap<string, string> },
): Promise<void> {
  const inside = (path: string) => join(image.root, path.startsWith('/') ? path : join(image.workdir, path));
  switch (name) {
    case 'WORKDIR':
      image.workdir = text;
      await mkdir(inside('.'), { recursive: true });
      return;
    case 'COPY': {
      const [from = '', to = ''] = text.split(' ').filter((word) => !word.startsWith('--'));
      const stage = /--from=(\S+)/.exec(text)?.[1];
      if (stage === undefined) return await copyContext(join(context, from), inside(to), ignores(context));
      await cp(join(stages.get(stage) ?? '', from), inside(to), { recursive: true, verbatimSymlinks: true });
      return;
    }
    case 'RUN':
      return await run(text.replace(/^(--\S+\s+)+/, ''), inside('.'));
    case 'ENV': {
      const [, variable = '', value = ''] = /^(\w+)=(.*)$/.exec(text) ?? [];
      image.env[variable] = value;
      return;
    }
    case 'USER':
      image.user = text;
      return;
    case 'HEALTHCHECK':
      image.healthCommand = JSON.parse(/CMD (\[.*\])$/.exec(text)?.[1] ?? '[]');
      return;
    case 'CMD':
      image.command = JSON.parse(text);
      return;
    case 'EXPOSE':
      return;
    default:
      throw new Error(`the test does not know ${name}`);
  }
}

/** `.dockerignore`: paths, `*` within a name and a leading double star; no exceptions. */
function ignores(context: string): (path: string) => boolean {
  const patterns = readFileSync(join(context, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const body = line
        .replace(/[.+]/g, '\\$&')
        .replace(/^\*\*\//, '(.*/)?')
        .replace(/(?<!\.)\*/g, '[^/]*');
      return new RegExp(`^${body}$`);
    });
  return (path) => patterns.some((pattern) => pattern.test(path));
}

async function copyContext(from: string, to: string, isIgnored: (path: string) => boolean): Promise<void> {
  const copy = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const below = relative(from, path);
      if (isIgnored(below)) continue;
      if (entry.isDirectory()) await copy(path);
      else if (entry.isFile()) await cp(path, join(to, below));
    }
  };
  await copy(from);
  await chmod(to, 0o755);
}
