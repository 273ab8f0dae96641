// One box: a receipt, a requestId or a player. What was typed says what it may be; every possibility is asked for.

import { request, SCOPES } from "../lib/api.js";
import { count, moment } from "../lib/format.js";
import { go } from "../lib/route.js";
import { html, useEffect, useState } from "../lib/ui.js";
import { Basis, Empty, Forbidden, Icon, Loading, Problem, Section } from "./parts.js";
import { Table } from "./table.js";

const RECEIPT = /^[A-Za-z0-9_-]+(\.\d+){3,4}\.[A-Za-z0-9_-]+$/;
const REQUEST_ID = /^-?[1-9]\d{0,18}$/;
const PAIR = /^(.+)\/([^/]+)$/;

/** `{kind, text, player?}` of all that it may be. `player/requestId` names both. */
export function meanings(text, player = "") {
  if (RECEIPT.test(text)) return [{ kind: "receipt", text }];
  const [, owner, id] = PAIR.exec(text) ?? [];
  if (owner) return [{ kind: "request", text: id, player: owner }, { kind: "player", text }];
  if (player) return [{ kind: "request", text, player }];
  return [{ kind: "player", text }];
}

const STATES = {
  applied: { tone: "well", icon: "check", words: "It is counted." },
  duplicate: { tone: "well", icon: "check", words: "It had counted before, and was not counted again." },
  pending: { tone: "degraded", icon: "warning", words: "It is accepted and not counted yet." },
  refused: { tone: "down", icon: "stop", words: "It is not counted: it is against the rules." },
  dead: { tone: "down", icon: "stop", words: "It is not counted: it is kept as a dead letter." },
};

const HIDDEN = ["state", "basis", "counted", "lineage", "partition", "offset"];

const factsOf = (found) => [
  ...Object.entries(found).filter(([name, value]) => !HIDDEN.includes(name) && value !== null && typeof value !== "object"),
  ...(found.lineage === undefined ? [] : [["record", `${found.lineage}/${String(found.partition).padStart(2, "0")}/${found.offset}`]]),
];

/** A receipt says so; a request is found only if it counted. */
const isCounted = (found) => found.counted ?? found.state === "applied";

/** The names of a fate are those of receipts; the first thing said is whether it counted. */
function Fate({ found }) {
  const { tone, icon, words } = STATES[found.state] ?? { tone: "unknown", icon: "question", words: "" };
  return html`<section class="card found">
    <h2 class=${`verdict verdict-${tone}`}><${Icon} name=${icon} />${found.state} <span>${words}</span>${" "}<${Basis} kind=${isCounted(found) ? "counted" : "accepted"} /></h2>
    <dl class="facts">
      ${factsOf(found).map(
        ([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${/at$/i.test(name) ? moment(value) : html`<code>${String(value)}</code>`}</dd></div>`,
      )}
    </dl>
  </section>`;
}

const totalsOf = (body) => Object.entries(body.totals).map(([event, total]) => ({ event, total: Number(total) }));

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
  receipt: { name: "receipt", missing: "It is no receipt of this system, or it is no longer known." },
  request: { name: "requestId", missing: "No batch of this player with this requestId has counted, or it is forgotten after the dedupe window." },
  player: { name: "player", missing: "No event of a player with this name has counted." },
};
const ABSENT = [400, 404, 410];

/** The requests that answer for a meaning. A requestId of both APIs is looked for in both. */
function paths({ kind, text, player }) {
  const name = encodeURIComponent(text);
  if (kind === "receipt") return [`/v1/receipts/${name}`];
  if (kind === "player") return [`/v1/players/${name}`];
  const sources = REQUEST_ID.test(text) ? ["games", "analytics"] : ["analytics"];
  return sources.map((source) => `/v1/requests/${name}?source=${source}&player=${encodeURIComponent(player)}`);
}

/** The answers to all that the text may be. */
function useLookup(text, player) {
  const [found, setFound] = useState(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const given = new AbortController();
    setFound(null);
    const ask = async (kind, path) => ({ kind, path, ...(await request(path, { signal: given.signal })) });
    const asked = meanings(text, player).flatMap((one) => paths(one).map((path) => ask(one.kind, path)));
    Promise.all(asked).then(setFound, () => {}); // given up for a newer one
    return () => given.abort();
  }, [text, player, round]);
  return { found, again: () => setRound((before) => before + 1) };
}

function Hit({ hit, again }) {
  const { kind, status, body, problem } = hit;
  if (status === 200) return kind === "player" ? html`<${Player} found=${body} />` : html`<${Fate} found=${body} />`;
  return html`<section class="card">
    ${status === 403 ? html`<${Forbidden} scope=${SCOPES.read} what=${`this ${KINDS[kind].name}`} />` : html`<${Problem} text=${problem} again=${again} />`}
  </section>`;
}

function Result({ text, player }) {
  const { found, again } = useLookup(text, player);
  if (!found) return html`<${Loading} what="what there is" />`;
  const hits = found.filter((one) => !ABSENT.includes(one.status));
  if (hits.length) return hits.map((hit) => html`<${Hit} key=${hit.path} hit=${hit} again=${again} />`);
  const kinds = [...new Set(found.map((one) => one.kind))];
  return html`<section class="card">
    <${Empty} icon="search" title=${`There is no such ${kinds.map((kind) => KINDS[kind].name).join(" and no such ")}`}>
      ${kinds.map((kind) => html`<span key=${kind}>${KINDS[kind].missing} </span>`)}
    <//>
  </section>`;
}

/** A number alone may be a requestId, which is unique only for one player. */
function Whose({ text, player }) {
  const [name, setName] = useState(player);
  const submit = (event) => {
    event.preventDefault();
    if (name.trim()) go("find", { q: text, player: name.trim() });
  };
  return html`<section class="card">
    <form class="controls" onSubmit=${submit}>
      <label class="field whose"><span>Is <code>${text}</code> a requestId? It is unique only for one player. Whose is it?</span>
        <input type="text" autocomplete="off" spellcheck="false" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
      <button type="submit">Find the batch</button>
    </form>
  </section>`;
}

export function Find({ query }) {
  const text = (query.q ?? "").trim();
  const player = query.player ?? "";
  if (!text) {
    return html`<h1>Find</h1>
      <section class="card"><${Empty} icon="search" title="What became of a batch?">Type a receipt, the name of a player, or <code>player/requestId</code> into the box above.<//></section>`;
  }
  return html`<h1>Find <q class="sought">${text}</q>${player && html`<span class="quiet"> of ${player}</span>`}</h1>
    <div class="stack slim">
      ${REQUEST_ID.test(text) && html`<${Whose} key=${text} text=${text} player=${player} />`}
      <${Result} key=${`${player}/${text}`} text=${text} player=${player} />
    </div>`;
}
