// One box: a receipt, a requestId or a player. What was typed says what it may be; every possibility is asked for.

import { request, SCOPES } from "../lib/api.js";
import { count, moment } from "../lib/format.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { Empty, Forbidden, Icon, Loading, Problem, Section } from "./parts.js";
import { Table } from "./table.js";

const RECEIPT = /^[A-Za-z0-9_-]+(\.\d+){3,4}\.[A-Za-z0-9_-]+$/;
const REQUEST_ID = /^-?\d{1,19}$/;

export const kindsOf = (text) => (RECEIPT.test(text) ? ["receipt"] : REQUEST_ID.test(text) ? ["request", "player"] : ["player"]);

const STATES = {
  applied: { tone: "well", icon: "check", words: "It is counted." },
  duplicate: { tone: "well", icon: "check", words: "It had counted before, and was not counted again." },
  pending: { tone: "degraded", icon: "warning", words: "It is accepted and not counted yet." },
  refused: { tone: "down", icon: "stop", words: "It is not counted: it is against the rules." },
  dead: { tone: "down", icon: "stop", words: "It is not counted: it is kept as a dead letter." },
};

/** The names of a fate are those of receipts; the first thing said is whether it counted. */
function Fate({ title, found }) {
  const { tone, icon, words } = STATES[found.state] ?? { tone: "unknown", icon: "question", words: "" };
  return html`<section class="card found" aria-label=${title}>
    <p class=${`verdict verdict-${tone}`}><${Icon} name=${icon} /><b>${found.state}</b><span>${words}</span></p>
    <dl class="facts">
      ${Object.entries(found)
        .filter(([name, value]) => name !== "state" && value !== null && typeof value !== "object")
        .map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd><code>${name.toLowerCase().endsWith("at") ? moment(value) : String(value)}</code></dd></div>`)}
    </dl>
  </section>`;
}

const totalsOf = (body) =>
  Array.isArray(body.totals)
    ? body.totals.map((one) => ({ event: one.event ?? one.definitionId, source: one.source, total: Number(one.count ?? one.total ?? one.numEvents) }))
    : Object.entries(body.totals ?? {}).map(([event, total]) => ({ event, total: Number(total) }));

const COLUMNS = [
  { key: "event", label: "Event", kind: "wide", sort: (row) => row.event, cell: (row) => row.event },
  { key: "total", label: "Counted", number: true, sort: (row) => row.total, cell: (row) => count(row.total) },
];

function Player({ found }) {
  const rows = totalsOf(found).sort((a, b) => b.total - a.total);
  return html`<${Section} id="player" title=${found.player} basis="counted" note=${found.updatedAt ? `player, last counted ${moment(found.updatedAt)}` : "player"}>
    ${rows.length ? html`<${Table} caption="The player’s totals" columns=${COLUMNS} rows=${rows} rowKey=${(row) => row.event} />` : html`<${Empty} title="No event of this player has counted">Its batches may be refused or still be in flight.<//>`}
  <//>`;
}

const KINDS = {
  receipt: { path: "receipts", name: "receipt", missing: "It is no receipt of this system, or it is no longer known." },
  request: { path: "requests", name: "requestId", missing: "No batch with this requestId has counted, or it is forgotten after the dedupe window." },
  player: { path: "players", name: "player", missing: "No event of a player with this name has counted." },
};
const ABSENT = [400, 404, 410];

/** The answers of all that the text may be. */
function useLookup(text) {
  const [found, setFound] = useState(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const given = new AbortController();
    setFound(null);
    const asked = kindsOf(text).map(async (kind) => {
      const path = `/v1/${KINDS[kind].path}/${encodeURIComponent(text)}`;
      return { kind, ...(await request(path, { signal: given.signal })) };
    });
    Promise.all(asked).then(setFound, () => {});
    return () => given.abort();
  }, [text, round]);
  return { found, again: () => setRound((before) => before + 1) };
}

function Hit({ hit, again }) {
  const { kind, status, body, problem } = hit;
  if (status === 200) return kind === "player" ? html`<${Player} found=${body} />` : html`<${Fate} title=${KINDS[kind].name} found=${body} />`;
  return html`<section class="card">
    ${status === 403 ? html`<${Forbidden} scope=${SCOPES.read} what=${`this ${KINDS[kind].name}`} />` : html`<${Problem} text=${problem} again=${again} />`}
  </section>`;
}

function Result({ text }) {
  const { found, again } = useLookup(text);
  if (!found) return html`<${Loading} what="what there is" />`;
  const hits = found.filter((one) => !ABSENT.includes(one.status));
  if (hits.length) return hits.map((hit) => html`<${Hit} key=${hit.kind} hit=${hit} again=${again} />`);
  const names = found.map((one) => KINDS[one.kind].name).join(" and no ");
  return html`<section class="card">
    <${Empty} icon="search" title=${`There is no ${names} of that name`}>${found.map((one) => html`<span key=${one.kind}>${KINDS[one.kind].missing} </span>`)}<//>
  </section>`;
}

export function Find({ query }) {
  const text = (query.q ?? "").trim();
  if (!text) {
    return html`<h1>Find</h1><section class="card"><${Empty} icon="search" title="What became of a batch?">Type a receipt, a requestId or the name of a player into the box above.<//></section>`;
  }
  return html`<h1>Find <q class="sought">${text}</q></h1><${Result} text=${text} />`;
}
