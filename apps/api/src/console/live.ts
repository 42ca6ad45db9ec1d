/** This file owns figures that move while a page is open: drawn by the page, and told again by its stream under the same name. */
import { type Html, html } from './html.ts';

export interface LiveFigure {
  text: string;
  /** How it stands against its threshold; default neither. */
  state?: 'warn' | 'bad' | undefined;
}

/** By name; a name is made of words of ours and names of queues. */
export type LiveFigures = ReadonlyMap<string, LiveFigure>;

/** The figure of this name. */
export function live(figures: LiveFigures, name: string): Html {
  const { text, state } = figures.get(name) ?? { text: '–' };
  return html`<span data-live="${name}" data-state="${state ?? ''}">${text}</span>`;
}

/** The names whose figure is another than before, as the script of the page reads it. */
export function changesOf(before: LiveFigures, after: LiveFigures): Record<string, [string, string]> {
  const changed: [string, [string, string]][] = [];
  for (const [name, { text, state = '' }] of after) {
    const old = before.get(name);
    if (old?.text !== text || (old.state ?? '') !== state) changed.push([name, [text, state]]);
  }
  return Object.fromEntries(changed);
}
