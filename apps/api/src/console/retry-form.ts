/** This file owns a form that was refused: it is shown again with what was typed still in it, and why. */
import { DomainError } from '@sluice/runtime';
import { type Html, html } from './html.ts';
import type { View } from './page.ts';

/** What `work` comes to; when it refuses, the view of `again` with the reason. */
export async function orAgain<T>(
  work: () => Promise<T>,
  again: (reason: Html) => Promise<View> | View,
): Promise<T | View> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { ...(await again(faultNotice(error.message))), status: 400 };
  }
}

export function faultNotice(text: string): Html {
  return html`<p class="notice" data-kind="fault" role="alert">${text}</p>`;
}
