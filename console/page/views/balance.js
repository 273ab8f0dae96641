// Per topic: everything accepted has one fate. Written as a sum, as one would check it by hand.

import { count, known, percent, signed } from "../lib/format.js";
import { FATES } from "../lib/series.js";
import { html } from "../lib/ui.js";
import { Icon, Section, Value } from "./parts.js";

const MEANINGS = {
  applied: "counted in MongoDB",
  duplicate: "their requestId had counted before",
  refused: "the worker found them against the rules",
  dead: "unreadable or not storable; kept as dead letters",
  gaps: "offsets that hold no record (transaction markers)",
  inFlight: "accepted and not yet applied",
};

function Verdict({ difference }) {
  if (!known(difference)) {
    return html`<p class="verdict verdict-unknown"><${Icon} name="question" />Difference <b>not known</b></p>`;
  }
  const fine = difference === 0;
  return html`<p class=${`verdict verdict-${fine ? "well" : "down"}`}>
    <${Icon} name=${fine ? "check" : "stop"} />Difference <b class="figure">${signed(difference)}</b>
    <span class="verdict-word">${fine ? "it balances" : "it does not balance"}</span>
  </p>`;
}

const width = (part, whole) => (known(part) && whole > 0 ? `${Math.max(0, Math.min(100, (part / whole) * 100))}%` : "0");

/** In proportion; what is too small to see is in the figures. */
const Bar = ({ topic }) => html`<div class="balance-bar" aria-hidden="true">
  ${FATES.map(([field]) => html`<span key=${field} class=${`fate-${field}`} style=${{ width: width(topic[field], topic.accepted) }}></span>`)}
</div>`;

const Term = ({ field, label, value, whole }) => html`<div class=${`term${value ? "" : " term-zero"}`}>
  <dt title=${MEANINGS[field]}><span class=${`swatch fate-${field}`} aria-hidden="true"></span>${label}</dt>
  <dd class="figure"><${Value} text=${count(value)} /><span class="term-share">${value ? percent(value, whole) : ""}</span></dd>
</div>`;

function Ledger({ topic }) {
  return html`<article class="ledger" aria-label=${`Balance of ${topic.api}`}>
    <header><h3>${topic.api}</h3><code>${topic.topic}</code></header>
    <dl>
      <div class="term term-total">
        <dt>accepted</dt>
        <dd class="figure"><${Value} text=${count(topic.accepted)} /><span class="term-share"></span></dd>
      </div>
    </dl>
    <${Bar} topic=${topic} />
    <dl>${FATES.map(([field, label]) => html`<${Term} key=${field} ...${{ field, label, value: topic[field], whole: topic.accepted }} />`)}</dl>
    <${Verdict} difference=${topic.difference} />
  </article>`;
}

export const Balance = ({ topics }) => html`<${Section} id="balance" title="Balance" note="batches, since each topic began">
  <div class="ledgers">${topics.map((topic) => html`<${Ledger} key=${topic.api} topic=${topic} />`)}</div>
<//>`;
