// What the ingress refused, by cause, with samples: why was my event dropped?

import { SCOPES } from "../lib/api.js";
import { count, nearby, plural, rate } from "../lib/format.js";
import { live } from "../lib/live.js";
import { replace, routeTo } from "../lib/route.js";
import { useStore } from "../lib/store.js";
import { html } from "../lib/ui.js";
import { Empty, Forbidden, Loading, Problem, Section, useAnswer } from "./parts.js";
import { Table } from "./table.js";

const COLUMNS = [
  { key: "at", label: "When", kind: "tight", sort: (row) => row.at, cell: (row) => html`<time dateTime=${row.at}>${nearby(row.at, Date.now())}</time>` },
  { key: "cause", label: "Cause", kind: "tight", sort: (row) => row.cause, cell: (row) => html`<code>${row.cause}</code>` },
  { key: "player", label: "Player", kind: "name", sort: (row) => row.player, cell: (row) => (row.player ? html`<a href=${routeTo("find", { q: row.player })}>${row.player}</a>` : "–") },
  { key: "request", label: "requestId", kind: "tight", cell: (row) => (row.requestId ? html`<code>${row.requestId}</code>` : "–") },
  { key: "field", label: "Field", cell: (row) => (row.field ? html`<code>${row.field}</code>` : "–") },
  { key: "bytes", label: "First bytes", kind: "wide", cell: (row) => html`<code class="sample">${row.firstBytes}</code>` },
];

/** Each cause: how many samples there are, and how fast it is refused now. */
function Causes({ causes, perSecond, cause }) {
  const samples = new Map(Object.keys(perSecond).map((name) => [name, 0]));
  for (const one of causes) samples.set(one.cause, one.samples);
  const rows = [...samples].sort((a, b) => (perSecond[b[0]] ?? 0) - (perSecond[a[0]] ?? 0) || b[1] - a[1]);
  return html`<ul class="chips" aria-label="Causes">
    ${rows.map(
      ([name, many]) => html`<li key=${name}><button type="button" class="chip" aria-pressed=${cause === name} onClick=${() => replace("refusals", { cause: cause === name ? "" : name })}>
        <span>${name}</span>${perSecond[name] > 0 && html`<b class="figure">${rate(perSecond[name])}/s</b>`}<span class="quiet">${plural(many, "sample", "samples")}</span>
      </button></li>`,
    )}
  </ul>`;
}

function Body({ answer, again, cause }) {
  const perSecond = useStore(live).snapshot?.refusedPerSecond ?? {};
  if (!answer) return html`<${Loading} what="refusals" />`;
  if (answer.status === 403) return html`<section class="card"><${Forbidden} scope=${SCOPES.refusals} what="what was refused" /></section>`;
  if (answer.problem) return html`<section class="card"><${Problem} text=${answer.problem} again=${again} /></section>`;
  const { refusals: rows, causes = [] } = answer.body;
  if (!rows.length && !causes.length) {
    return html`<section class="card"><${Empty} icon="check" title="Nothing was refused">No sample is kept. The ingress keeps at most ten a minute for each cause.<//></section>`;
  }
  return html`<${Causes} causes=${causes} perSecond=${perSecond} cause=${cause} />
    <${Section} id="samples" title=${cause ? `Samples of ${cause}` : "Samples"} basis="refused" note=${`the newest ${count(rows.length)}; a sample, not all`} tools=${html`<button type="button" class="small" onClick=${again}>Refresh</button>`}>
      ${rows.length ? html`<${Table} caption="Samples of what was refused" columns=${COLUMNS} rows=${rows} rowKey=${(row) => row.id} first=${25} />` : html`<${Empty} icon="check" title="No sample of this cause">Choose another cause, or none.<//>`}
    <//>`;
}

export function Refusals({ query }) {
  const { answer, again } = useAnswer("/v1/refusals", { limit: 500, cause: query.cause });
  return html`<h1>Refusals</h1><${Body} answer=${answer} again=${again} cause=${query.cause ?? ""} />`;
}
