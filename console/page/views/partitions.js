// Every partition of both topics, the worst first.

import { ago, count, duration, moment, plural, secondsSince } from "../lib/format.js";
import { worstFirst } from "../lib/series.js";
import { html, useState } from "../lib/ui.js";
import { Glance } from "./glance.js";
import { Empty, Icon, narrow, Section, Value, Words } from "./parts.js";
import { Table } from "./table.js";

const STANDINGS = [
  { word: "stopped", icon: "stop", tone: "down" },
  { word: "no owner", icon: "warning", tone: "degraded" },
  { word: "behind", icon: "warning", tone: "degraded" },
  { word: "in step", icon: "check", tone: "well" },
  { word: "not known", icon: "question", tone: "unknown" },
  { word: "unused", icon: "pause", tone: "unknown" },
];
const FINE = [3, 5];
const BAD = 3;
const HEADROOM_SHORT_SECONDS = 24 * 3_600;

const Standing = ({ row }) => {
  const { word, icon, tone } = STANDINGS[row.standing];
  return html`<span class=${`standing standing-${tone}`}><${Icon} name=${icon} />${word}</span>
    ${row.stopped && html`<span class="why"><${Words} text=${row.stopped} /></span>`}`;
};

const Flush = ({ row, asOf }) =>
  row.lastFlush
    ? html`<time dateTime=${row.lastFlush} title=${moment(row.lastFlush)}>${ago(secondsSince(row.lastFlush, asOf))}</time>`
    : html`<${Value} text="–" />`;

const Headroom = ({ row }) =>
  row.headroomSeconds !== null && row.headroomSeconds < HEADROOM_SHORT_SECONDS
    ? html`<span class="standing standing-degraded"><${Icon} name="warning" />${duration(row.headroomSeconds)}</span>`
    : html`<${Value} text=${duration(row.headroomSeconds)} />`;

const columns = (asOf) => [
  { key: "partition", label: "Partition", sort: (row) => `${row.api} ${String(row.partition).padStart(6, "0")}`, cell: (row) => html`<span class="quiet">${row.api}</span> <b class="figure">${row.partition}</b>` },
  { key: "standing", label: "State", sort: (row) => row.standing, kind: "wide", cell: (row) => html`<${Standing} row=${row} />` },
  { key: "owner", label: "Owner", sort: (row) => row.owner, cell: (row) => (row.owner === null ? html`<${Value} text="–" />` : html`<code>${row.owner}</code>`) },
  { key: "lag", label: "Lag", number: true, sort: (row) => row.lagSeconds, cell: (row) => html`<${Value} text=${duration(row.lagSeconds)} />` },
  { key: "records", label: "Uncounted batches", number: true, sort: (row) => row.lagRecords, cell: (row) => html`<${Value} text=${count(row.lagRecords)} />` },
  { key: "flush", label: "Last flush", number: true, sort: (row) => row.lastFlush, cell: (row) => html`<${Flush} row=${row} asOf=${asOf} />` },
  { key: "headroom", label: "Headroom", number: true, sort: (row) => row.headroomSeconds, cell: (row) => html`<${Headroom} row=${row} />` },
];

const textOf = (row) => `${row.api} ${row.partition} ${row.topic} ${row.owner ?? ""} ${row.stopped ?? ""} ${STANDINGS[row.standing].word}`.toLowerCase();

export function Partitions({ snapshot }) {
  const [filter, setFilter] = useState("");
  const [troubled, setTroubled] = useState(false);
  const rows = worstFirst(snapshot.topics);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = rows.filter((row) => (!troubled || !FINE.includes(row.standing)) && words.every((word) => textOf(row).includes(word)));
  const bad = rows.filter((row) => row.standing < BAD).length;
  const tools = html`<label class="inline"><input type="checkbox" checked=${troubled} onChange=${(event) => setTroubled(event.target.checked)} />Only with a problem</label>
    <label class="field"><span class="hidden">Filter partitions</span><input type="search" placeholder="Filter partitions" value=${filter} onInput=${(event) => setFilter(event.target.value)} /></label>`;
  const many = bad ? `${plural(bad, "needs", "need")} a look, of ${count(rows.length)}` : plural(rows.length, "partition", "partitions");
  const note = `${many}; lag is of batches that are accepted and not counted yet`;
  return html`<${Section} id="partitions" title="Partitions" note=${note} tools=${rows.length > 0 && tools}>
    <${Glance} topics=${snapshot.topics} />
    ${rows.length === 0
      ? html`<${Empty} icon="question" title="No partition is known">The console reads them from Kafka and from the workers’ checkpoints.<//>`
      : shown.length === 0
        ? html`<${Empty} icon="check" title=${words.length ? "No partition matches" : "No partition has a problem"}>${words.length ? "Change the filter to see others." : "All are owned, in step and moving."}<//>`
        : html`<${Table} caption="Partitions, the worst first" columns=${columns(Date.parse(snapshot.asOf))} rows=${shown} rowKey=${(row) => `${row.api}/${row.partition}`} rowClass=${(row) => `row-${STANDINGS[row.standing].tone}`} first=${narrow() ? 8 : 25} />`}
  <//>`;
}
