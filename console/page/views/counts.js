// What was counted over time, by event, in the viewer's time zone.

import { allowed, SCOPES, session } from "../lib/api.js";
import { load, OTHER, RANGES, rangeWords, startOf, stepFor, stepsFor } from "../lib/counts.js";
import { bucket, clock, count, percent, plural } from "../lib/format.js";
import { replace } from "../lib/route.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { Chart, nameOf } from "./chart.js";
import { Basis, Empty, Forbidden, Icon, Loading, narrow, Problem, Section, useAnswer } from "./parts.js";
import { Table } from "./table.js";

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const LIVE_RANGES = ["5m", "15m", "1h"];
const LIVE_MILLIS = 10_000;

const chosen = (query) => {
  const range = RANGES.some(([name]) => name === query.range) ? query.range : "24h";
  const step = stepsFor(range).includes(query.step) ? query.step : stepFor(range);
  const source = query.source === "analytics" ? "analytics" : "games";
  return { source, range, step, event: query.event ?? "", app: query.app ?? "" };
};

/** Loads when the choice changes, and again while one looks at a short range. */
function useCounts(choice) {
  const [found, setFound] = useState(null);
  const [round, setRound] = useState(0);
  const key = JSON.stringify(choice);
  const again = () => setRound((before) => before + 1);
  useEffect(() => {
    const given = new AbortController();
    load({ ...choice, zone: ZONE }, Date.now(), given.signal).then(
      (answer) => setFound({ ...answer, key, step: choice.step }),
      () => {}, // given up for a newer one
    );
    return () => given.abort();
  }, [key, round]);
  useEffect(() => {
    if (!LIVE_RANGES.includes(choice.range)) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && again(), LIVE_MILLIS);
    return () => clearInterval(timer);
  }, [choice.range]);
  return { found, fresh: found?.key === key, again };
}

const Select = ({ label, value, options, onChange }) => html`<label class="field">
  <span>${label}</span>
  <select value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${options.map(([name, text]) => html`<option key=${name} value=${name} selected=${name === value}>${text}</option>`)}
  </select>
</label>`;

function Apps({ value, onChange }) {
  const { answer } = useAnswer(allowed(SCOPES.operate) ? "/v1/apps" : null, {});
  const apps = (answer?.body?.apps ?? []).map((one) => (typeof one === "string" ? one : one.app));
  if (apps.length < 2) return null;
  const shown = value || session.get().app || "";
  return html`<${Select} label="App" value=${shown} onChange=${onChange} options=${apps.map((one) => [one, one])} />`;
}

const Source = ({ value, change }) => html`<fieldset class="segments">
  <legend class="hidden">Source</legend>
  ${["games", "analytics"].map(
    (one) => html`<label key=${one}>
      <input type="radio" name="source" checked=${value === one} onChange=${() => change({ source: one, event: "" })} />
      <span>${one}</span>
    </label>`,
  )}
</fieldset>`;

function Controls({ choice, change }) {
  const [event, setEvent] = useState(choice.event);
  useEffect(() => setEvent(choice.event), [choice.event]);
  const submit = (given) => {
    given.preventDefault();
    change({ event: event.trim() });
  };
  const { range, step } = choice;
  return html`<form class="controls" onSubmit=${submit}>
    <${Source} value=${choice.source} change=${change} />
    <${Apps} value=${choice.app} onChange=${(app) => change({ app, event: "" })} />
    <${Select} label="Range" value=${range} onChange=${(given) => change({ range: given, step: undefined })} options=${RANGES} />
    <${Select} label="Step" value=${step} onChange=${(given) => change({ step: given })} options=${stepsFor(range).map((one) => [one, one])} />
    <label class="field">
      <span>Event</span>
      <input type="search" placeholder="all events" autocomplete="off" value=${event} onInput=${(given) => setEvent(given.target.value)} />
    </label>
    <button type="submit">Show</button>
    ${choice.event && html`<button type="button" onClick=${() => change({ event: "" })}>All events</button>`}
  </form>`;
}

/** The line that an event is part of: its own, or that of all others. */
function placeOf(event, lines) {
  const own = lines.findIndex((line) => line.event === event);
  return own >= 0 ? own : lines.findIndex((line) => line.event === OTHER);
}

const Swatch = ({ place }) => html`<span class=${`swatch line-${place}`} aria-hidden="true"></span>`;

const Share = ({ part, whole, place }) => html`<span class="share">
  <span class="share-bar" aria-hidden="true"><span class=${`bar-${place}`} style=${{ width: `${(100 * part) / whole}%` }}></span></span>
  <span>${percent(part, whole)}</span>
</span>`;

const totalColumns = (lines, total, change) => [
  {
    key: "event",
    label: "Event",
    kind: "wide",
    sort: (row) => row.event,
    cell: (row) => html`<${Swatch} place=${placeOf(row.event, lines)} />
      ${row.event === OTHER ? nameOf(row) : html`<button type="button" class="link" onClick=${() => change({ event: row.event })}>${row.event}</button>`}`,
  },
  { key: "total", label: "Counted", number: true, sort: (row) => row.total, cell: (row) => count(row.total) },
  { key: "share", label: "Share", number: true, cell: (row) => html`<${Share} part=${row.total} whole=${total} place=${placeOf(row.event, lines)} />` },
];

function Totals({ found, change }) {
  const [filter, setFilter] = useState("");
  const { totals, lines, total } = found;
  const rows = totals.filter((one) => one.event.toLowerCase().includes(filter.toLowerCase()));
  const tools = totals.length > 10 &&
    html`<label class="field">
      <span class="hidden">Filter events</span>
      <input type="search" placeholder="Filter events" value=${filter} onInput=${(event) => setFilter(event.target.value)} />
    </label>`;
  return html`<${Section} id="totals" title="By event" basis="counted" note=${plural(totals.length, "event", "events")} tools=${tools}>
    <${Table} caption="Counted by event in this range" columns=${totalColumns(lines, total, change)} rows=${rows} rowKey=${(row) => row.event} first=${narrow() ? 8 : 20} />
  <//>`;
}

function Values({ found }) {
  const { axis, lines, step } = found;
  const current = startOf(step, Date.now());
  const from = (row) => html`<time dateTime=${new Date(row.at).toISOString()}>${bucket(row.at, step)}</time>
    ${row.at >= current && html` <span class="quiet">so far</span>`}`;
  const columns = [
    { key: "at", label: "From", kind: "tight", sort: (row) => row.at, cell: from },
    ...lines.map((line, place) => ({
      key: `line-${place}`,
      label: nameOf(line),
      number: true,
      sort: (row) => line.values[row.place],
      cell: (row) => count(line.values[row.place]),
    })),
  ];
  const rows = axis.map((at, place) => ({ at, place })).reverse();
  return html`<${Section} id="values" title="Over time" basis="counted" note=${`each ${step}, the newest first`}>
    <${Table} caption="Counted over time, the newest first" columns=${columns} rows=${rows} rowKey=${(row) => row.at} first=${narrow() ? 6 : 14} />
  <//>`;
}

const Legend = ({ lines }) => html`<ul class="legend">
  ${lines.map((line, place) => html`<li key=${place}><${Swatch} place=${place} /><span>${nameOf(line)}</span></li>`)}
</ul>`;

const Nothing = ({ event }) => html`<section class="card">
  <${Empty} title="Nothing was counted in this range">
    ${event
      ? html`The event <b>${event}</b> has no count here. Is it spelt as in Definitions?`
      : "A batch counts under the time of its period or item, not of its arrival. Choose a longer range."}
  <//>
</section>`;

function Shown({ found, choice, change }) {
  const { axis, lines, totals, total, step, asOf } = found;
  if (!lines.length) return html`<${Nothing} event=${choice.event} />`;
  const what = choice.event ? choice.event : plural(totals.length, "event", "events");
  const label = `Line chart of ${what}: ${count(total)} counted in ${rangeWords(choice.range)}. The table below has the numbers.`;
  return html`<section class="card chart-card" aria-labelledby="chart-title">
      <header class="card-head">
        <h2 id="chart-title"><span class="chart-total">${count(total)}</span> in ${rangeWords(choice.range)}</h2>
        <${Basis} kind="counted" />
        <span class="note">each ${step} · ${ZONE}${asOf ? ` · as of ${clock(asOf)}` : ""}</span>
      </header>
      ${found.more && html`<p class="notice"><${Icon} name="warning" />There are more rows than this page reads. Choose a longer step, a shorter range or one event.</p>`}
      <${Chart} axis=${axis} lines=${lines} step=${step} label=${label} />
      <${Legend} lines=${lines} />
    </section>
    ${!choice.event && html`<${Totals} found=${found} change=${change} />`}
    <${Values} found=${found} />`;
}

function Body({ found, again, choice, change }) {
  if (!found) return html`<${Loading} what="counts" />`;
  if (found.status === 403) return html`<section class="card"><${Forbidden} scope=${SCOPES.read} what="these counts" /></section>`;
  if (found.problem) return html`<section class="card"><${Problem} text=${found.problem} again=${again} /></section>`;
  return html`<${Shown} found=${found} choice=${choice} change=${change} />`;
}

export function Counts({ query }) {
  const choice = chosen(query);
  const { found, fresh, again } = useCounts(choice);
  const change = (changes) => replace("counts", { ...choice, ...changes });
  return html`<h1>Counts</h1>
    <${Controls} choice=${choice} change=${change} />
    <div class=${`stack${fresh ? "" : " stale"}`} aria-busy=${!fresh}>
      <${Body} found=${found} again=${again} choice=${choice} change=${change} />
    </div>`;
}
