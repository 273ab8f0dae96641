// What was counted over time, by event, in the viewer's time zone.

import { allowed, SCOPES, session } from "../lib/api.js";
import { arrange, bounds, lines, load, RANGES, stepFor, stepsFor } from "../lib/counts.js";
import { bucket, clock, count, percent, plural } from "../lib/format.js";
import { replace } from "../lib/route.js";
import { html, useEffect, useMemo, useState } from "../lib/ui.js";
import { Chart, LINES, nameOf } from "./chart.js";
import { Empty, Forbidden, Icon, Loading, Problem, Section, useAnswer } from "./parts.js";
import { Table } from "./table.js";

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const LIVE_RANGES = ["5m", "15m", "1h"];
const LIVE_MILLIS = 10_000;

const chosen = (query) => {
  const range = RANGES.some(([name]) => name === query.range) ? query.range : "24h";
  const step = stepsFor(range).includes(query.step) ? query.step : stepFor(range);
  return { source: query.source === "analytics" ? "analytics" : "games", range, step, event: query.event ?? "", app: query.app ?? "" };
};

/** Loads when the choice changes, and again while one looks at a short range. */
function useCounts(choice) {
  const [found, setFound] = useState(null);
  const [round, setRound] = useState(0);
  const key = JSON.stringify(choice);
  useEffect(() => {
    const given = new AbortController();
    const range = bounds(choice.range, Date.now());
    const { source, step, event, app } = choice;
    const parameters = { source, step, event, app, tz: step === "minute" || step === "hour" ? undefined : ZONE, from: range.from, to: range.to };
    load(parameters, given.signal).then(
      (answer) => setFound({ ...answer, key, step, ...arrange(answer.rows, step, range) }),
      () => {}, // given up for a newer one
    );
    return () => given.abort();
  }, [key, round]);
  useEffect(() => {
    if (!LIVE_RANGES.includes(choice.range)) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && setRound((before) => before + 1), LIVE_MILLIS);
    return () => clearInterval(timer);
  }, [choice.range]);
  return { found, fresh: found?.key === key, again: () => setRound((before) => before + 1) };
}

const Select = ({ label, value, options, onChange }) => html`<label class="field"><span>${label}</span>
  <select value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${options.map(([name, text]) => html`<option key=${name} value=${name} selected=${name === value}>${text}</option>`)}
  </select>
</label>`;

function Apps({ value, onChange }) {
  const { answer } = useAnswer(allowed(SCOPES.operate) ? "/v1/apps" : null, {});
  const apps = (answer?.body?.apps ?? []).map((one) => (typeof one === "string" ? one : one.app));
  const own = session.get().app;
  if (apps.length < 2) return null;
  return html`<${Select} label="App" value=${value || own || ""} onChange=${onChange} options=${apps.map((one) => [one, one])} />`;
}

function Controls({ choice, change }) {
  const [event, setEvent] = useState(choice.event);
  useEffect(() => setEvent(choice.event), [choice.event]);
  const submit = (given) => {
    given.preventDefault();
    change({ event: event.trim() });
  };
  return html`<form class="controls" onSubmit=${submit}>
    <fieldset class="segments">
      <legend class="hidden">Source</legend>
      ${["games", "analytics"].map(
        (one) => html`<label key=${one}><input type="radio" name="source" value=${one} checked=${choice.source === one} onChange=${() => change({ source: one, event: "" })} /><span>${one}</span></label>`,
      )}
    </fieldset>
    <${Apps} value=${choice.app} onChange=${(app) => change({ app, event: "" })} />
    <${Select} label="Range" value=${choice.range} onChange=${(range) => change({ range, step: undefined })} options=${RANGES.map(([name, text]) => [name, text])} />
    <${Select} label="Step" value=${choice.step} onChange=${(step) => change({ step })} options=${stepsFor(choice.range).map((one) => [one, one])} />
    <label class="field"><span>Event</span><input type="search" placeholder="all events" value=${event} onInput=${(given) => setEvent(given.target.value)} /></label>
    <button type="submit">Show</button>
    ${choice.event && html`<button type="button" onClick=${() => change({ event: "" })}>All events</button>`}
  </form>`;
}

const Swatch = ({ place }) => (place < LINES ? html`<span class=${`swatch line-${place}`} aria-hidden="true"></span>` : html`<span class="swatch" aria-hidden="true"></span>`);

function Totals({ events, total, change }) {
  const [filter, setFilter] = useState("");
  const own = events.length <= LINES ? LINES : LINES - 1;
  const ranked = useMemo(() => events.map((one, place) => ({ ...one, place })), [events]);
  const rows = ranked.filter((one) => one.event.toLowerCase().includes(filter.toLowerCase()));
  const columns = [
    { key: "event", label: "Event", wide: true, sort: (row) => row.event, cell: (row) => html`<${Swatch} place=${row.place < own ? row.place : LINES - (events.length <= LINES ? 0 : 1)} /><button type="button" class="link" onClick=${() => change({ event: row.event })}>${row.event}</button>` },
    { key: "total", label: "Counted", number: true, sort: (row) => row.total, cell: (row) => count(row.total) },
    { key: "share", label: "Share", number: true, cell: (row) => percent(row.total, total) },
  ];
  const tools = events.length > 10 && html`<label class="field"><span class="hidden">Filter events</span><input type="search" placeholder="Filter events" value=${filter} onInput=${(event) => setFilter(event.target.value)} /></label>`;
  return html`<${Section} id="totals" title="By event" basis="counted" note=${plural(events.length, "event", "events")} tools=${tools}>
    <${Table} caption="Counted by event in this range" columns=${columns} rows=${rows} rowKey=${(row) => row.event} first=${20} />
  <//>`;
}

function Values({ axis, given, step }) {
  const columns = [
    { key: "at", label: "From", sort: (row) => row.at, cell: (row) => html`<time dateTime=${new Date(row.at).toISOString()}>${bucket(row.at, step)}</time>` },
    ...given.map((line, place) => ({ key: `line-${place}`, label: nameOf(line), number: true, sort: (row) => line.values[row.place], cell: (row) => count(line.values[row.place]) })),
  ];
  const rows = axis.map((at, place) => ({ at, place })).reverse();
  return html`<${Section} id="values" title="Over time" basis="counted" note=${`each ${step}, newest first, ${ZONE}`}>
    <${Table} caption="Counted over time, the newest first" columns=${columns} rows=${rows} rowKey=${(row) => row.at} first=${24} />
  <//>`;
}

function Shown({ found, choice, change }) {
  const given = useMemo(() => lines(found, LINES), [found]);
  if (!found.events.length) {
    return html`<section class="card"><${Empty} title="Nothing was counted in this range">
      ${choice.event ? html`The event <b>${choice.event}</b> has no count here. Is it spelt as in Definitions?` : "A batch is counted under the time of its period or item, not under the time of its arrival. Choose a longer range."}
    <//></section>`;
  }
  const label = `Line chart of ${plural(found.events.length, "event", "events")}, ${count(found.total)} counted in all. The tables below have the numbers.`;
  return html`<section class="card chart-card" aria-labelledby="chart-title">
      <header class="card-head"><h2 id="chart-title"><span class="figure">${count(found.total)}</span> <span class="quiet">each ${found.step}</span></h2><span class="basis basis-counted">counted</span>
        <span class="note">${ZONE}${found.asOf ? ` · as of ${clock(found.asOf)}` : ""}</span></header>
      ${found.more && html`<p class="notice"><${Icon} name="warning" />There are more rows than this page reads. Choose a coarser step, a shorter range or one event.</p>`}
      <${Chart} axis=${found.axis} given=${given} step=${found.step} label=${label} />
      <ul class="legend">${given.map((line, place) => html`<li key=${place}><span class=${`swatch line-${place}`} aria-hidden="true"></span><span>${nameOf(line)}</span></li>`)}</ul>
    </section>
    <${Totals} events=${found.events} total=${found.total} change=${change} />
    <${Values} axis=${found.axis} given=${given} step=${found.step} />`;
}

export function Counts({ query }) {
  const choice = chosen(query);
  const { found, fresh, again } = useCounts(choice);
  const change = (changes) => replace("counts", { ...choice, ...changes });
  return html`<h1>Counts</h1>
    <${Controls} choice=${choice} change=${change} />
    <div class=${fresh ? "" : "stale"} aria-busy=${!fresh}>
      ${!found
        ? html`<${Loading} what="counts" />`
        : found.status === 403
          ? html`<section class="card"><${Forbidden} scope=${SCOPES.read} what="these counts" /></section>`
          : found.problem
            ? html`<section class="card"><${Problem} text=${found.problem} again=${again} /></section>`
            : html`<${Shown} found=${found} choice=${choice} change=${change} />`}
    </div>`;
}
