/* Shows the document of the whole API or of one cache service, each operation with its samples, to be tried with a key. */
const { SwaggerUIBundle } = window;
const form = document.getElementById('access');
const keyField = document.getElementById('key');
const serviceField = document.getElementById('service');
const services = document.getElementById('services');
const notice = document.getElementById('notice');
const WHOLE = '/openapi.json';
let language = 'curl';

function tell(text, isFault) {
  notice.setAttribute('role', isFault ? 'alert' : 'status');
  notice.textContent = text;
}

async function ask(path) {
  const key = keyField.value.trim();
  const response = await fetch(path, { headers: key === '' ? {} : { 'X-DreamFactory-API-Key': key } });
  const body = await response.json().catch(() => undefined);
  return {
    status: response.status,
    body,
    message: body?.error?.message ?? `The server answered ${response.status}.`,
  };
}

function sampleParts(React) {
  const h = React.createElement;

  function origins(variables) {
    return variables.map(({ name, operationId, member, tag }) =>
      h(
        'p',
        { key: name },
        h('code', null, name),
        ' is ',
        h('code', null, member),
        ' in the answer of ',
        h('a', { href: `#/${encodeURIComponent(tag)}/${operationId}` }, operationId),
        '.',
      ),
    );
  }

  return function Samples({ id, samples, variables }) {
    const [chosen, choose] = React.useState(language);
    const [isCopied, setCopied] = React.useState(false);
    const panel = React.useRef(null);
    const at = Math.max(
      samples.findIndex(({ label }) => label === chosen),
      0,
    );
    const show = (index) => {
      language = samples[index].label;
      choose(language);
      setCopied(false);
    };
    const step = (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by === undefined) return;
      const next = (at + by + samples.length) % samples.length;
      show(next);
      event.currentTarget.children[next].focus();
    };
    const copy = async () => {
      // Only pages of a secure origin may write the clipboard; elsewhere the text is marked, to be copied by hand.
      if (navigator.clipboard) {
        await navigator.clipboard.writeText(samples[at].source);
        setCopied(true);
        return;
      }
      getSelection().selectAllChildren(panel.current);
    };
    return h(
      'section',
      { className: 'samples', 'aria-label': `Samples of ${id}` },
      h(
        'div',
        { className: 'samples-bar' },
        h(
          'div',
          { role: 'tablist', 'aria-label': `Language of ${id}`, onKeyDown: step },
          samples.map(({ label }, index) =>
            h(
              'button',
              {
                key: label,
                id: `sample-${id}-${index}`,
                type: 'button',
                role: 'tab',
                'aria-selected': index === at,
                'aria-controls': `sample-${id}`,
                tabIndex: index === at ? 0 : -1,
                onClick: () => show(index),
              },
              label,
            ),
          ),
        ),
        h('button', { type: 'button', className: 'copy', onClick: copy }, isCopied ? 'Copied' : 'Copy'),
      ),
      h(
        'pre',
        {
          id: `sample-${id}`,
          ref: panel,
          role: 'tabpanel',
          'aria-labelledby': `sample-${id}-${at}`,
          tabIndex: 0,
        },
        h('code', null, samples[at].source),
      ),
      origins(variables),
    );
  };
}

/** Samples above the responses of each operation; the key is asked for once, at the top of the page. */
function samplesPlugin(operations) {
  return ({ React }) => {
    const Samples = sampleParts(React);
    const none = () => null;
    return {
      wrapComponents: {
        responses: (Responses) => (props) => {
          const operation = operations.get(`${props.method} ${props.path}`);
          const responses = React.createElement(Responses, { key: 'responses', ...props });
          if (operation === undefined) return responses;
          return [React.createElement(Samples, { key: 'samples', ...operation }), responses];
        },
        authorizeBtn: () => none,
        authorizeOperationBtn: () => none,
      },
    };
  };
}

function operationsOf({ paths }) {
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ ...operation, path, method })),
  );
  const tags = new Map(all.map(({ operationId, tags: [tag] }) => [operationId, tag]));
  const shown = all.filter((operation) => operation['x-codeSamples'] !== undefined);
  return new Map(
    shown.map((operation) => [
      `${operation.method} ${operation.path}`,
      {
        id: operation.operationId,
        samples: operation['x-codeSamples'],
        variables: (operation['x-variables'] ?? []).map((variable) => ({
          ...variable,
          tag: tags.get(variable.operationId) ?? '',
        })),
      },
    ]),
  );
}

function show(spec) {
  const key = keyField.value.trim();
  const ui = SwaggerUIBundle({
    spec,
    dom_id: '#docs',
    deepLinking: true,
    persistAuthorization: false,
    validatorUrl: null,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    plugins: [samplesPlugin(operationsOf(spec))],
    onComplete: () => {
      if (key !== '') ui.preauthorizeApiKey('ApiKeyHeader', key);
    },
  });
}

/** Names to choose from, where the key may know them; and whether there is such a key. */
async function lookUpServices() {
  if (keyField.value.trim() === '') return undefined;
  const { status, body, message } = await ask('/api/v2/system/service');
  if (status === 401) return message;
  const names = status === 200 ? body.resource.map(({ name }) => name) : [];
  services.replaceChildren(
    ...names.map((name) => Object.assign(document.createElement('option'), { value: name })),
  );
  return undefined;
}

async function open() {
  const service = serviceField.value.trim().toLowerCase();
  const address = service === '' ? '/docs' : `/docs?service=${encodeURIComponent(service)}`;
  history.replaceState(null, '', address + location.hash);
  if (service !== '' && keyField.value.trim() === '') {
    tell(`Give an API key that may read ${service}, and its document is shown.`, false);
    return;
  }
  const wrongKey = await lookUpServices();
  if (wrongKey !== undefined) {
    tell(wrongKey, true);
    if (document.getElementById('docs').childElementCount > 0) return;
  }
  const { status, body, message } = await ask(
    service === '' ? WHOLE : `/api/v2/${encodeURIComponent(service)}/_spec`,
  );
  if (status !== 200) {
    tell(message, true);
    return;
  }
  show(body);
  if (wrongKey === undefined)
    tell(keyField.value.trim() === '' ? '' : 'Requests are sent with this key.', false);
}

function followScheme(query) {
  document.documentElement.classList.toggle('dark-mode', query.matches);
}

const scheme = matchMedia('(prefers-color-scheme: dark)');
scheme.addEventListener('change', followScheme);
followScheme(scheme);
serviceField.value = new URLSearchParams(location.search).get('service') ?? '';
document.getElementById('environment').textContent =
  `export SLUICE_URL=${location.origin}\nexport SLUICE_API_KEY=sk_...`;
form.addEventListener('submit', (event) => {
  event.preventDefault();
  open().catch((error) => tell(String(error), true));
});
open().catch((error) => tell(String(error), true));
