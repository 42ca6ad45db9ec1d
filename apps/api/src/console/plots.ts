/** This file owns plots of the last hour: small pictures drawn here, told in words to whoever does not see them. */
import { count } from './figures.ts';
import { type Html, html } from './html.ts';

const WIDTH = 600;
const HEIGHT = 100;
/** So that the highest value does not touch the edge. */
const HEADROOM = 6;

/** Bars of two series, one upon the other; a bar a minute, the oldest first. */
export function bars(options: {
  label: string;
  series: readonly [readonly number[], readonly number[]];
  unit: string;
  /** Under the plot; default yes. */
  hasLegend?: boolean;
}): Html {
  const { label, series, unit, hasLegend = true } = options;
  const [first, second] = series;
  const sums = first.map((value, index) => value + (second[index] ?? 0));
  const most = Math.max(...sums, 0);
  const step = WIDTH / Math.max(first.length, 1);
  const height = (value: number) => (most === 0 ? 0 : (value / most) * (HEIGHT - HEADROOM));
  const rects = first.map((value, index) => {
    const x = (index * step + step * 0.12).toFixed(2);
    const width = (step * 0.76).toFixed(2);
    const [low, high] = [height(value), height(second[index] ?? 0)];
    return html`${bar('bar', x, width, HEIGHT - low, low)}${bar('bar second', x, width, HEIGHT - low - high, high)}`;
  });
  const told = `${label}: at most ${count(most)} ${unit}, ${count(sums.at(-1) ?? 0)} in the last minute`;
  return html`<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${told}">${rects}${axis()}</svg>${
    hasLegend && legend(`at most ${count(Math.round(most))} ${unit}`)
  }`;
}

/** A line over time; places without a value are left out. `most`: the top of the plot, when it is given. */
export function line(options: {
  label: string;
  /** Of the last hour, the oldest first. */
  points: readonly (number | null)[];
  show: (value: number) => string;
  most?: number | undefined;
}): Html {
  const { label, points, show, most } = options;
  const known = points.filter((point) => point !== null);
  const top = most ?? Math.max(...known, 0);
  const step = WIDTH / Math.max(points.length - 1, 1);
  const y = (value: number) => HEIGHT - (top === 0 ? 0 : (Math.min(value, top) / top) * (HEIGHT - HEADROOM));
  const places = points.flatMap((point, index) =>
    point === null ? [] : [`${(index * step).toFixed(1)},${y(point).toFixed(1)}`],
  );
  const last = known.at(-1);
  const told =
    last === undefined
      ? `${label}: not known yet`
      : `${label}: ${show(last)} now, at most ${show(Math.max(...known))}`;
  const [start, end] = [places[0]?.split(',')[0], places.at(-1)?.split(',')[0]];
  return html`<svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${told}">${
    places.length > 1 &&
    html`<polygon class="area" points="${start},${HEIGHT} ${places.join(' ')} ${end},${HEIGHT}"/><polyline class="line" points="${places.join(' ')}"/>`
  }${axis()}</svg>${legend(known.length < 2 ? 'watched since a moment' : `at most ${show(Math.max(...known))}`)}`;
}

function bar(name: string, x: string, width: string, y: number, height: number): Html | undefined {
  if (height <= 0) return undefined;
  return html`<rect class="${name}" x="${x}" y="${y.toFixed(2)}" width="${width}" height="${height.toFixed(2)}"/>`;
}

function axis(): Html {
  return html`<line class="axis" x1="0" y1="${HEIGHT}" x2="${WIDTH}" y2="${HEIGHT}"/>`;
}

function legend(text: string): Html {
  return html`<p class="legend"><span>an hour ago</span><span>${text}</span><span>now</span></p>`;
}
