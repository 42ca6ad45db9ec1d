/** This file owns what a scrape is told of how full this process is. */
import type { Metrics } from '@sluice/runtime';
import type { Occupancy } from '../http/occupancy.ts';

export function registerOccupancyMetrics({
  metrics,
  occupancy,
}: {
  metrics: Metrics;
  occupancy: Occupancy;
}): void {
  const inFlight = metrics.gauge('sluice_http_in_flight_requests', 'Requests worked on now', []);
  const waiting = metrics.gauge('sluice_http_waiting_requests', 'Requests that wait for the CPU now', []);
  const bodyBytes = metrics.gauge('sluice_http_body_bytes', 'Bytes of bodies held now', []);
  const shed = metrics.counter('sluice_http_shed_requests_total', 'Requests sent away for want of room', []);
  metrics.beforeScrape(async () => {
    inFlight.set(occupancy.running);
    waiting.set(occupancy.waiting);
    bodyBytes.set(occupancy.bodies.taken);
    shed.reset();
    shed.inc(occupancy.shed);
  });
}
