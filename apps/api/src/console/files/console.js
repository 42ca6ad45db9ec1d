// Small conveniences of the console. Every page works without them.

/** Asks before what cannot be undone. */
for (const form of document.querySelectorAll('form[data-confirm]')) {
  form.addEventListener('submit', (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}

/** Figures that move: each is told under its name, as text. */
const address = document.body.dataset.liveStream;
if (address) {
  const sign = document.querySelector('[data-live-sign]');
  const say = (text, kind) => {
    if (!sign) return;
    sign.textContent = text;
    sign.dataset.kind = kind;
  };
  const places = new Map();
  for (const place of document.querySelectorAll('[data-live]')) {
    places.set(place.dataset.live, [...(places.get(place.dataset.live) ?? []), place]);
  }
  const show = (event) => {
    say('live', 'good');
    for (const [name, [text, state]] of Object.entries(JSON.parse(event.data))) {
      for (const place of places.get(name) ?? []) {
        if (place.textContent === text && place.dataset.state === state) continue;
        place.textContent = text;
        place.dataset.state = state;
        // Ages move all the time, and tell nothing by it.
        if (/:(?:oldest|uptime)$/.test(name)) continue;
        place.classList.remove('moved');
        // Read, so that the animation begins anew.
        void place.offsetWidth;
        place.classList.add('moved');
      }
    }
  };
  let stream;
  const open = () => {
    if (stream && stream.readyState !== EventSource.CLOSED) return;
    stream = new EventSource(address);
    stream.addEventListener('figures', show);
    stream.addEventListener('away', () => say('Redis is away', 'bad'));
    stream.addEventListener('error', () => say('not connected', 'warn'));
  };
  // A page that nobody sees asks for nothing.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) stream?.close();
    else open();
  });
  window.addEventListener('pagehide', () => stream?.close());
  window.addEventListener('pageshow', open);
  if (!document.hidden) open();
}

// A test is told beside its button, so that what was typed stays, the password too.
async function test(button, report) {
  button.disabled = true;
  report.textContent = 'Testing…';
  try {
    const body = new URLSearchParams(new FormData(button.form));
    const response = await fetch(button.formAction, { method: 'POST', body });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    report.replaceChildren(...(page.getElementById(report.id)?.childNodes ?? []));
  } catch {
    report.textContent = 'The server did not answer.';
  } finally {
    button.disabled = false;
  }
}

for (const button of document.querySelectorAll('button[data-report]')) {
  button.addEventListener('click', (event) => {
    event.preventDefault();
    void test(button, document.getElementById(button.dataset.report));
  });
}
