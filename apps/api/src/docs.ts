/** This file owns the API documentation: /openapi.json and the page at /docs, everything served from here. */
import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { routes } from '@sluice/contract';
import { Hono } from 'hono';

const TITLE = 'Sluice';
const DESCRIPTION =
  'Background jobs, shared caches, rate limits and sessions over HTTP, on the Redis a team already runs.';

/** Swagger UI writes style attributes; its scripts are files of ours. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${TITLE} API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  displayRequestDuration: true,
  tryItOutEnabled: true,
});
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
    .get('/start.js', (c) => c.body(START, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }))
    .get('/:file', (c) => {
      const type = ASSETS[c.req.param('file')];
      if (type === undefined) return c.notFound();
      const stream = Readable.toWeb(createReadStream(join(folder, c.req.param('file')))) as ReadableStream;
      return c.body(stream, 200, { 'Content-Type': type, 'Cache-Control': 'public, max-age=3600' });
    });
}

/** Loaded by the first who asks: a start needs neither the generator nor the document. */
async function printDocument(version: string): Promise<string> {
  const { openApiDocument } = await import('@sluice/contract/openapi');
  return JSON.stringify(
    openApiDocument(Object.values(routes), { title: TITLE, version, description: DESCRIPTION }),
  );
}
