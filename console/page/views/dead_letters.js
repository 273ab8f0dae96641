// Records that could not be read or stored, and the way back for them: a dry run, a typed confirmation, the redrive.

import { allowed, request, SCOPES } from "../lib/api.js";
import { count, moment, plural } from "../lib/format.js";
import { routeTo } from "../lib/route.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { Empty, Forbidden, Icon, Loading, Problem, Section, useAnswer } from "./parts.js";
import { Table } from "./table.js";

const REDRIVE = "/v1/dead-letters/redrive";

const columns = (picked, pick, may) => [
  ...(may ? [{ key: "pick", label: "Select", cell: (row) => html`<input type="checkbox" aria-label=${`Select ${row.id}`} disabled=${Boolean(row.redriven)} checked=${picked.has(row.id)} onChange=${() => pick(row.id)} />` }] : []),
  { key: "at", label: "When", kind: "tight", sort: (row) => row.at, cell: (row) => html`<time dateTime=${row.at}>${moment(row.at)}</time>` },
  { key: "id", label: "Coordinates", sort: (row) => row.id, cell: (row) => html`<code>${row.id}</code>${row.topic && html`<span class="why">${row.topic}</span>`}` },
  { key: "reason", label: "Reason", kind: "wide", sort: (row) => row.reason, cell: (row) => row.reason },
  { key: "player", label: "Player", kind: "name", sort: (row) => row.player, cell: (row) => (row.player ? html`<a href=${routeTo("find", { q: row.player })}>${row.player}</a>` : "–") },
  { key: "bytes", label: "Bytes", number: true, sort: (row) => row.bytes, cell: (row) => count(row.bytes) },
  { key: "redriven", label: "Redriven", sort: (row) => row.redriven ?? "", cell: (row) => (row.redriven ? moment(row.redriven) : "no") },
];

/** A redrive can also end early: then its answer says why. */
const problemIn = (answer) => answer?.problem ?? answer?.body?.problem ?? null;

/** Steps: asked (the dry run's answer is there), done. What is typed must say how many, so that one reads it. */
function Redrive({ ids, done }) {
  const [dry, setDry] = useState(null);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [result, setResult] = useState(null);
  const box = useRef(null);
  const key = ids.join(" ");
  useEffect(() => {
    setDry(null);
    setTyped("");
  }, [key]);
  useEffect(() => dry?.body && box.current?.focus(), [dry]);
  const { ids: found = [], skipped = [], confirm: phrase = "" } = dry?.body ?? {};
  const chosen = found.length;
  async function send(dryRun) {
    setBusy(true);
    const answer = await request(REDRIVE, { method: "POST", body: { ids, dryRun, ...(dryRun ? {} : { confirm: phrase }) } });
    setBusy(false);
    if (dryRun) return setDry(answer);
    setResult(answer);
    setDry(null);
    if (!problemIn(answer)) done();
  }
  const confirmed = (event) => {
    event.preventDefault();
    if (typed.trim() === phrase && !busy) send(false);
  };
  if (result && !ids.length) {
    return html`<p class="notice" role="status"><${Icon} name=${problemIn(result) ? "warning" : "check"} />${problemIn(result) ?? `${plural(result.body.redriven ?? 0, "dead letter was", "dead letters were")} redriven. Each is a new record now, and none can count twice.`}</p>`;
  }
  if (!ids.length) return html`<p class="quiet redrive-hint">Select dead letters to send them through the topic again.</p>`;
  return html`<div class="redrive">
    <p class="redrive-head"><b>${plural(ids.length, "dead letter", "dead letters")} selected</b>
      <button type="button" onClick=${() => send(true)} disabled=${busy}>Dry run</button></p>
    ${(problemIn(result) || problemIn(dry)) && html`<${Problem} text=${problemIn(result) ?? problemIn(dry)} />`}
    ${dry?.body &&
    html`<form class="confirm" onSubmit=${confirmed}>
      <p>The dry run finds <b>${plural(chosen, "record", "records")}</b> to send again. Nothing was sent yet.</p>
      ${skipped.length > 0 && html`<ul class="quiet">${skipped.map((one) => html`<li key=${one.id}><code>${one.id}</code> ${one.reason}</li>`)}</ul>`}
      ${chosen > 0 &&
      html`<label for="confirm">To send, type <code>${phrase}</code></label>
        <div class="confirm-row"><input id="confirm" ref=${box} type="text" autocomplete="off" spellcheck="false" value=${typed} onInput=${(event) => setTyped(event.target.value)} />
          <button type="submit" class="danger" disabled=${typed.trim() !== phrase || busy}>Redrive</button></div>`}
    </form>`}
  </div>`;
}

function Letters({ all, again }) {
  const [picked, setPicked] = useState(new Set());
  const may = allowed(SCOPES.operate);
  const open = all.filter((one) => !one.redriven);
  const pick = (id) => setPicked((before) => (before.has(id) ? new Set([...before].filter((one) => one !== id)) : new Set([...before, id])));
  const ids = open.map((one) => one.id).filter((id) => picked.has(id));
  const done = () => {
    setPicked(new Set());
    again();
  };
  const tools = html`${may && open.length > 0 && html`<button type="button" class="small" onClick=${() => setPicked(new Set(ids.length === open.length ? [] : open.map((one) => one.id)))}>${ids.length === open.length ? "Select none" : "Select all open"}</button>`}
    <button type="button" class="small" onClick=${again}>Refresh</button>`;
  return html`<${Section} id="letters" title="Records" basis="accepted" note=${`${count(open.length)} open of ${count(all.length)}; accepted and not counted`} tools=${tools}>
    ${may ? html`<${Redrive} ids=${ids} done=${done} />` : html`<p class="quiet redrive-hint"><${Icon} name="lock" />To redrive them a session needs the scope <code>${SCOPES.operate}</code>.</p>`}
    <${Table} caption="Dead letters, the newest first" columns=${columns(picked, pick, may)} rows=${all} rowKey=${(row) => row.id} />
  <//>`;
}

function Body({ answer, again }) {
  if (!answer) return html`<${Loading} what="dead letters" />`;
  if (answer.status === 403) return html`<section class="card"><${Forbidden} scope=${SCOPES.refusals} what="dead letters" /></section>`;
  if (answer.problem) return html`<section class="card"><${Problem} text=${answer.problem} again=${again} /></section>`;
  const all = answer.body.deadLetters ?? [];
  if (!all.length) return html`<section class="card"><${Empty} icon="check" title="There are no dead letters">Every record could be read and stored.<//></section>`;
  return html`<${Letters} all=${all} again=${again} />`;
}

export function DeadLetters() {
  const { answer, again } = useAnswer("/v1/dead-letters", { limit: 500 });
  return html`<h1>Dead letters</h1><${Body} answer=${answer} again=${again} />`;
}
