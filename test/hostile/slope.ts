/** This file owns the slope of a series that has outliers (Theil 1950, Sen 1968): the median of the slopes between all its pairs. */

/** More points are thinned evenly: pairs grow with their square. */
const MAX_POINTS = 400;

/** Units of `y` for each unit of `x`; 0 for fewer than two points. */
export function theilSen(points: readonly { x: number; y: number }[]): number {
  const step = Math.max(1, Math.ceil(points.length / MAX_POINTS));
  const kept = points.filter((_, at) => at % step === 0);
  const slopes = kept.flatMap((a, at) =>
    kept.slice(at + 1).flatMap((b) => (b.x === a.x ? [] : [(b.y - a.y) / (b.x - a.x)])),
  );
  slopes.sort((a, b) => a - b);
  return slopes[Math.floor(slopes.length / 2)] ?? 0;
}
