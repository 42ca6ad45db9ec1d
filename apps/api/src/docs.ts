/** This file owns the API documentation: /openapi.json and the page at /docs, everything served from here. */
import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { routes } from '@sluice/contract';
import { Hono } from 'hono';

const TITLE = 'Sluice';
const OWN_FOLDER = join(import.meta.dirname, 'docs/files');
const DESCRIPTION =
  'Background jobs, shared caches, rate limits and sessions over HTTP, on the Redis a team already runs.';

/** Swagger UI writes style attributes; its scripts are files of ours. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Of Swagger UI, as its package has them. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};
/** Ours, beside this file. */
const FILES: Readonly<Record<string, string>> = {
  'docs.css': 'text/css; charset=utf-8',
  'docs.js': 'text/javascript; charset=utf-8',
};

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE} API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/docs.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<header class="top">
<a class="brand" href="/docs">${TITLE} API Docs</a>
<nav aria-label="Elsewhere"><a href="/admin">Console</a> <a href="/admin/queues">Bull Board</a> <a href="/openapi.json">OpenAPI document</a></nav>
</header>
<main>
<form id="access" class="access" aria-label="Key and document">
<label for="key">API key <input id="key" type="password" autocomplete="off" spellcheck="false"></label>
<label for="service">Cache service <input id="service" list="services" placeholder="all of the API" autocomplete="off" spellcheck="false"></label>
<datalist id="services"></datalist>
<button type="submit">Open</button>
<p id="notice" class="notice" role="status"></p>
</form>
<section class="setting" aria-label="Environment of the samples">
<p>Samples read the address and the key from the environment:</p>
<pre id="environment" tabindex="0"></pre>
</section>
<div id="docs"></div>
</main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/docs.js" type="module"></script>
</body>
</html>
`;

/** The document, for everyone: it tells what there is, not what is in it. */
export function createDocument(options: { version: string }): Hono {
  let text: Promise<string> | undefined;
  return new Hono().get('/', async (c) => {
    text ??= printDocument(options.version);
    return c.body(await text, 200, { 'Content-Type': 'application/json; charset=utf-8' });
  });
}

/** The page that shows it. */
export function createDocs(): Hono {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  return new Hono()
    .get('/', (c) =>
      c.body(PAGE, 200, {
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': POLICY,
        'X-Content-Type-Options': 'nosniff',
      }),
    )
    .get('/:file', (c) => {
      const file = c.req.param('file');
      const own = FILES[file];
      if (own !== undefined) return c.body(stream(join(OWN_FOLDER, file)), 200, { 'Content-Type': own });
      const type = ASSETS[file];
      if (type === undefined) return c.notFound();
      const headers = { 'Content-Type': type, 'Cache-Control': 'public, max-age=3600' };
      return c.body(stream(join(folder, file)), 200, headers);
    });
}

function stream(path: string): ReadableStream {
  return Readable.toWeb(createReadStream(path)) as ReadableStream;
}

/** Loaded by the first who asks: a start needs neither the generator nor the document. */
async function printDocument(version: string): Promise<string> {
  const { openApiDocument } = await import('@sluice/contract/openapi');
  return JSON.stringify(
    openApiDocument(Object.values(routes), { title: TITLE, version, description: DESCRIPTION }),
  );
}
