/** This file owns workers over HTTP at their barest: lanes that take 50 jobs, and complete 50 jobs. */
const { SLUICE_URL, SLUICE_KEY } = process.env;
const LANES = 4;
const headers = { 'X-DreamFactory-API-Key': SLUICE_KEY, 'Content-Type': 'application/json' };

async function post(path, body) {
  const answer = await fetch(`${SLUICE_URL}/api/v2${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return await answer.json();
}

async function lane() {
  for (;;) {
    const { resource } = await post('/queues/bench/leases', { count: 50, wait: 5 });
    if (resource.length > 0)
      await post('/leases/complete', { resource: resource.map(({ lease }) => ({ lease, result: null })) });
  }
}
console.log('listening');
await Promise.all(Array.from({ length: LANES }, lane));
