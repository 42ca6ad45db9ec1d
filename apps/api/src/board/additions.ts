/** This file owns what is added to Bull Board's page: a bar with our search and the ways out, its style, and what is hidden. */

/** Above Bull Board's own page: the ways out, and our search. */
export const BAR = `<div class="sluice-bar"><nav aria-label="Sluice"><a href="/admin">Console</a> <a href="/docs">API Docs</a></nav>
<form action="search" method="get" role="search"><input type="hidden" name="queue" value="">
<input type="search" name="q" required maxlength="1024" spellcheck="false" aria-label="Search jobs" placeholder="Search jobs">
<select name="by" aria-label="Search in"><option value="data">text of the data</option><option value="name">the whole name</option><option value="id">part of the id</option></select>
<button>Search</button></form></div>
`;

/** Searches the queue that is looked at; on the overview, all of them. */
export const SCRIPT = `document.querySelector('.sluice-bar form').addEventListener('submit', (event) => {
  const [, queue = ''] = /\\/queue\\/([^/]+)/.exec(location.pathname) ?? [];
  event.currentTarget.elements.queue.value = decodeURIComponent(queue);
});
`;
/** Letters of the reader's system, and none of the controls for what `routes.ts` refuses to everybody, or to this role. */
export const STYLES = `:root, body.dark-mode {
  --font-sans: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
  --font-mono: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
}
[role='menuitem']:has(> .lucide-plus),
li:has(> span > button > :is(.lucide-files, .lucide-pencil)),
td > button:has(> :is(.lucide-play, .lucide-pencil)),
body:not([data-role='admin']) [role='menuitem']:has(> :is(.lucide-trash-2, .lucide-ban)),
body:not([data-role='admin']) td > button:has(> .lucide-trash-2),
a[href^='https://github.com/'] {
  display: none !important;
}

:root {
  --sluice-bar: 46px;
}
body {
  padding-top: var(--sluice-bar);
}
/* Both are fixed to the window, below our bar then. */
#root header {
  top: var(--sluice-bar);
}
#root aside {
  top: calc(var(--header-offset) + var(--sluice-bar));
}
.sluice-bar {
  position: fixed;
  z-index: 99;
  top: 0;
  right: 0;
  left: 0;
  box-sizing: border-box;
  height: var(--sluice-bar);
  overflow: hidden;
  display: flex;
  flex-wrap: wrap;
  gap: 6px 20px;
  align-items: center;
  justify-content: space-between;
  padding: 6px 16px;
  background: #17201f;
  color: #fff;
  font: 14px/1.4 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;
}
.sluice-bar nav,
.sluice-bar form {
  display: flex;
  flex-wrap: wrap;
  gap: 6px 12px;
}
.sluice-bar a {
  color: #fff;
}
.sluice-bar :is(input[type='search'], select, button) {
  min-height: 32px;
  padding: 2px 10px;
  border: 1px solid #6b7a78;
  border-radius: 6px;
  background: #fff;
  color: #17201f;
  font: inherit;
}
.sluice-bar input[type='search'] {
  width: min(20rem, 40vw);
}
@media (max-width: 700px) {
  :root {
    --sluice-bar: 84px;
  }
  .sluice-bar form {
    flex-wrap: nowrap;
    width: 100%;
  }
  .sluice-bar :is(input[type='search'], select) {
    flex: 1 1 0;
    width: auto;
    min-width: 0;
  }
}
.sluice-bar :focus-visible {
  outline: 2px solid #6fd3c6;
  outline-offset: 2px;
}
`;
