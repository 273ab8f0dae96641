// A line for each event, drawn by uPlot. Lines differ in colour and in dashes; the table under the chart has the same
// numbers, for those who read rather than see.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { OTHER } from "../lib/counts.js";
import { bucket, compact, count } from "../lib/format.js";
import { html, useEffect, useRef } from "../lib/ui.js";

const HEIGHT = 300;
const DASHES = [[], [8, 4], [2, 3], [12, 4, 2, 4], [5, 2], [1, 5], [16, 6]];

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const FONT = "12px 'IBM Plex Sans', system-ui, sans-serif";

export const nameOf = (line) => (line.event === OTHER ? "other events" : line.event);

function timesOf(splits, step) {
  const days = splits.length > 1 && splits.at(-1) - splits[0] >= 4 * 86_400;
  const short = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const hours = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
  const coarse = days || step === "day" || step === "week" || step === "month";
  return splits.map((at) => {
    const date = new Date(at * 1000);
    return coarse || (date.getHours() === 0 && date.getMinutes() === 0) ? short.format(date) : hours.format(date);
  });
}

function axes(step) {
  const shared = { stroke: css("--ink-2"), font: FONT, grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
  return [
    { ...shared, grid: { show: false }, values: (_, splits) => timesOf(splits, step), space: 90, size: 28 },
    { ...shared, values: (_, splits) => splits.map((one) => compact(one)), size: 52, gap: 6 },
  ];
}

/** What the pointer is at: the time, and each line's value. Written as text nodes. */
function pointer(step, lines) {
  const box = document.createElement("div");
  box.className = "chart-tip";
  box.hidden = true;
  function row(line, at) {
    const item = document.createElement("p");
    const swatch = document.createElement("span");
    swatch.className = `swatch line-${line.place}`;
    const name = document.createElement("span");
    name.textContent = nameOf(line);
    const value = document.createElement("b");
    value.textContent = count(line.values[at]);
    item.append(swatch, name, value);
    return item;
  }
  function move(plot) {
    const at = plot.cursor.idx;
    box.hidden = at === null || at === undefined || plot.cursor.left < 0;
    if (box.hidden) return;
    const time = document.createElement("p");
    time.className = "chart-tip-time";
    time.textContent = bucket(plot.data[0][at] * 1000, step);
    box.replaceChildren(time, ...lines.map((line, place) => row({ ...line, place }, at)));
    const left = plot.cursor.left > plot.over.clientWidth / 2;
    box.style.left = left ? "auto" : `${plot.cursor.left + 14}px`;
    box.style.right = left ? `${plot.over.clientWidth - plot.cursor.left + 14}px` : "auto";
  }
  return { hooks: { ready: (plot) => plot.over.append(box), setCursor: move } };
}

function series(lines) {
  return lines.map((_, place) => ({
    stroke: css(`--series-${place}`),
    width: 2,
    dash: DASHES[place],
    fill: lines.length === 1 ? css("--series-fill") : undefined,
    points: { show: lines[place].values.length < 3, size: 6 },
  }));
}

function draw(place, axis, lines, step) {
  const top = Math.max(1, ...lines.map((line) => Math.max(0, ...line.values)));
  return new uPlot(
    {
      width: Math.max(240, place.clientWidth),
      height: HEIGHT,
      padding: [12, 26, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: true }, y: { range: [0, top * 1.08] } },
      axes: axes(step),
      series: [{}, ...series(lines)],
      plugins: [pointer(step, lines)],
    },
    [axis.map((at) => at / 1000), ...lines.map((line) => line.values)],
    place,
  );
}

export function Chart({ axis, lines, step, label }) {
  const frame = useRef(null);
  useEffect(() => {
    const place = frame.current;
    let plot = draw(place, axis, lines, step);
    const again = () => {
      plot.destroy();
      plot = draw(place, axis, lines, step);
    };
    const sizes = new ResizeObserver(() => plot.setSize({ width: Math.max(240, place.clientWidth), height: HEIGHT }));
    sizes.observe(place);
    document.addEventListener("themechange", again);
    return () => {
      sizes.disconnect();
      document.removeEventListener("themechange", again);
      plot.destroy();
    };
  }, [axis, lines, step]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${frame}></div>`;
}
