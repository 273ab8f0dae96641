// The events that an app has declared.

import { SCOPES } from "../lib/api.js";
import { moment, plural } from "../lib/format.js";
import { routeTo } from "../lib/route.js";
import { html, useState } from "../lib/ui.js";
import { Empty, Forbidden, Icon, Loading, Problem, Section, useAnswer } from "./parts.js";
import { Table } from "./table.js";

const nameIn = (one) => one.names?.[one.defaultLanguage] ?? Object.values(one.names ?? {})[0] ?? "";

const Names = ({ one }) => html`<span class="strong">${nameIn(one)}</span>
  ${one.descriptions?.[one.defaultLanguage] && html`<span class="why">${one.descriptions[one.defaultLanguage]}</span>`}`;

const COLUMNS = [
  { key: "id", label: "Event", sort: (row) => row.definitionId, cell: (row) => html`<a href=${routeTo("counts", { event: row.definitionId })}><code>${row.definitionId}</code></a>` },
  { key: "name", label: "Name", kind: "wide", sort: nameIn, cell: (row) => html`<${Names} one=${row} />` },
  { key: "languages", label: "Languages", cell: (row) => Object.keys(row.names ?? {}).join(", ") },
  { key: "visibility", label: "Visibility", sort: (row) => row.visibility, cell: (row) => (row.visibility ?? "").toLowerCase() },
  { key: "declared", label: "Declared", kind: "tight", sort: (row) => row.declaredAt, cell: (row) => html`<time dateTime=${row.declaredAt}>${moment(row.declaredAt)}</time>` },
  { key: "state", label: "State", sort: (row) => row.retiredAt ?? "", cell: (row) => (row.retiredAt ? html`<span class="standing standing-unknown"><${Icon} name="pause" />retired</span><span class="why">${moment(row.retiredAt)}</span>` : html`<span class="standing standing-well"><${Icon} name="check" />in force</span>`) },
];

function Body({ answer, again }) {
  const [filter, setFilter] = useState("");
  if (!answer) return html`<${Loading} what="definitions" />`;
  if (answer.status === 403) return html`<section class="card"><${Forbidden} scope=${SCOPES.read} what="the definitions" /></section>`;
  if (answer.problem) return html`<section class="card"><${Problem} text=${answer.problem} again=${again} /></section>`;
  const all = answer.body.definitions ?? [];
  if (!all.length) {
    return html`<section class="card"><${Empty} title="No event is declared">Declare the app’s events in a file, then run <code>tallymill definitions apply FILE</code>. Batches with other events are answered NOT_FOUND.<//></section>`;
  }
  const rows = all.filter((one) => `${one.definitionId} ${Object.values(one.names ?? {}).join(" ")}`.toLowerCase().includes(filter.toLowerCase()));
  const tools = all.length > 5 && html`<label class="field"><span class="hidden">Filter definitions</span><input type="search" placeholder="Filter definitions" value=${filter} onInput=${(event) => setFilter(event.target.value)} /></label>`;
  return html`<${Section} id="declared" title="Declared events" note=${plural(all.length, "event", "events")} tools=${tools}>
    <${Table} caption="Definitions" columns=${COLUMNS} rows=${rows} rowKey=${(row) => row.definitionId} />
  <//>`;
}

export function Definitions() {
  const { answer, again } = useAnswer("/v1/definitions", {});
  return html`<h1>Definitions</h1><${Body} answer=${answer} again=${again} />`;
}
