/** This file owns where a request goes when its endpoint has a URL of its own. */
import { DomainError } from '@sluice/runtime';
import type { DeliveryErrorCode } from './schemas.ts';

/**
 * The URL to send to. One that is given is read from the endpoint's and stays at its origin: an endpoint's headers are
 * for nobody else. Code `delivery_invalid`.
 */
export function destinationOf(url: string | null, endpointUrl: string | null): string {
  if (url === null) {
    if (endpointUrl === null) throw invalid('there is no url, neither here nor at the endpoint');
    return endpointUrl;
  }
  if (endpointUrl === null) {
    if (!URL.canParse(url)) throw invalid('the url is no whole URL, and its endpoint has none');
    return url;
  }
  if (!URL.canParse(url, endpointUrl)) throw invalid('the url cannot be read');
  const destination = new URL(url, endpointUrl);
  const { origin } = new URL(endpointUrl);
  if (destination.origin !== origin)
    throw invalid(`the url leads to ${destination.origin}, and its endpoint is at ${origin}`);
  return destination.href;
}

function invalid(message: string): DomainError<DeliveryErrorCode> {
  return new DomainError('delivery_invalid', message);
}
