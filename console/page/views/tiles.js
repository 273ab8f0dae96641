// The numbers one watches, each with its last minutes.

import { count, duration, durationParts, known, plural, rate, UNKNOWN } from "../lib/format.js";
import { routeTo } from "../lib/route.js";
import { sparkline, summary } from "../lib/series.js";
import { html } from "../lib/ui.js";
import { Basis, Value } from "./parts.js";

const WIDTH = 200;
const HEIGHT = 36;

const path = (points) => points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function Line({ line, top, name }) {
  const parts = sparkline(line, WIDTH, HEIGHT, top);
  const area = (points) => `${path(points)}L${points.at(-1)[0].toFixed(1)} ${HEIGHT}L${points[0][0].toFixed(1)} ${HEIGHT}Z`;
  return html`<g class=${`spark-${name}`}>
    <path class="spark-area" d=${parts.map(area).join("")} /><path class="spark-line" d=${parts.map(path).join("")} />
  </g>`;
}

/** `lines`: {name, line}, on one scale. The text beside it is for those who don't see it. */
function Spark({ lines, write }) {
  const there = lines.flatMap(({ line }) => line).filter(known);
  if (there.length < 2) return html`<div class="spark spark-none">no history yet</div>`;
  const [low, high] = [Math.min(...there), Math.max(...there)];
  // A line that does not move runs through the middle.
  const top = (low === high ? high * 2 : high * 1.08) || 1;
  const said = `lowest ${write(low)}, highest ${write(high)}`;
  return html`<svg class="spark" viewBox=${`0 -2 ${WIDTH} ${HEIGHT + 3}`} preserveAspectRatio="none" role="img" aria-label=${said}>
    ${lines.map(({ line, name }) => html`<${Line} key=${name} line=${line} top=${top} name=${name} />`)}
  </svg>`;
}

const perSecond = (value) => `${rate(value)} per second`;

/** Numbers large, their units small. */
const Figures = ({ parts }) =>
  parts.length
    ? parts.map(({ value, unit }) => html`<span key=${unit} class="figures"><${Value} text=${value} />${unit && html`<span class="tile-unit">${unit}</span>`}</span>`)
    : html`<${Value} text=${UNKNOWN} />`;

const plain = (value, unit) => [{ value, unit: value === UNKNOWN ? "" : unit }];

function Tile({ title, parts, note, tone, children }) {
  return html`<div class=${`tile${tone ? ` tile-${tone}` : ""}`} role="group" aria-label=${title}>
    <p class="tile-title">${title}</p>
    <p class=${`tile-value${parts.length > 1 ? " tile-two" : ""}`}><${Figures} parts=${parts} /></p>
    ${children}
    <p class="tile-note">${note}</p>
  </div>`;
}

const byApi = (topics, field, write) => topics.map((topic) => `${topic.api} ${write(topic[field])}`).join(" · ");

const Percentile = ({ name, seconds }) => html`<p class="tile-value">
  <span class=${`tile-name spark-key-${name}`}>${name}</span><${Figures} parts=${durationParts(seconds)} />
</p>`;

function Latency({ p50, p99 }) {
  return html`<div class="tile" role="group" aria-label="Accepted to visible">
    <p class="tile-title">Accepted to visible</p>
    <div class="tile-pair"><${Percentile} name="p50" seconds=${p50.now} /><${Percentile} name="p99" seconds=${p99.now} /></div>
    <${Spark} write=${duration} lines=${[{ name: "p99", line: p99.line }, { name: "p50", line: p50.line }]} />
    <p class="tile-note">${known(p50.now) ? "over the last minute" : "none known in the last minute"}</p>
  </div>`;
}

const CAUSES = 2;

function Refused({ refused, line }) {
  const { now, causes } = refused;
  const moving = causes.filter(([, one]) => one > 0);
  const named = moving.slice(0, CAUSES).map(([cause, one]) => `${cause} ${rate(one)}`);
  const rest = moving.length - CAUSES;
  const note = now === null ? "not known" : named.length ? [...named, ...(rest > 0 ? [`${rest} more`] : [])].join(" · ") : "nothing is refused";
  return html`<${Tile} title="Refused" parts=${plain(rate(now), "/s")} note=${html`<a href=${routeTo("refusals")}>${note}</a>`}>
    <${Spark} write=${perSecond} lines=${[{ name: "refused", line }]} />
  <//>`;
}

function DeadLetters({ open, line }) {
  const note = html`<a href=${routeTo("dead-letters")}>${open ? "look at them" : "none is open"}</a>`;
  return html`<${Tile} title="Open dead letters" parts=${plain(count(open), "")} tone=${open ? "attention" : ""} note=${known(open) ? note : "not known"}>
    <${Spark} write=${(value) => plural(value, "open", "open")} lines=${[{ name: "dead", line }]} />
  <//>`;
}

export function Tiles({ snapshot, local }) {
  const { accepted, counted, p50, p99, lag, refused, open } = summary(snapshot);
  const { topics } = snapshot;
  return html`<div class="tiles">
    <${Tile} title="Accepted" parts=${plain(rate(accepted.now), "batches/s")} note=${byApi(topics, "acceptedPerSecond", rate)}>
      <${Spark} write=${perSecond} lines=${[{ name: "accepted", line: accepted.line }]} />
    <//>
    <${Tile} title="Counted" parts=${plain(rate(counted.now), "batches/s")} note=${byApi(topics, "countedPerSecond", rate)}>
      <${Spark} write=${perSecond} lines=${[{ name: "counted", line: counted.line }]} />
    <//>
    <${Latency} p50=${p50} p99=${p99} />
    <${Tile} title="Worst lag" parts=${durationParts(lag.now)} note=${lag.now === null ? "not known" : (lag.where ?? "nothing waits")}>
      <${Spark} write=${duration} lines=${[{ name: "lag", line: lag.line }]} />
    <//>
    <${Refused} refused=${refused} line=${local.map((one) => one.refused)} />
    <${DeadLetters} open=${open} line=${local.map((one) => one.open)} />
  </div>`;
}
