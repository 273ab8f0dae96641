// The first thing one sees: whether all is well, since when, and how fresh this knowledge is.

import { age, ago, nearby, secondsSince } from "../lib/format.js";
import { live, setPaused, snapshotAge, STALE_SECONDS } from "../lib/live.js";
import { useStore } from "../lib/store.js";
import { html, useEffect } from "../lib/ui.js";
import { Icon, useNow, Words } from "./parts.js";

export const STATES = {
  well: { word: "All well", icon: "check", mark: "●" },
  degraded: { word: "Degraded", icon: "warning", mark: "▲" },
  down: { word: "Down", icon: "stop", mark: "■" },
  unknown: { word: "Not known", icon: "question", mark: "?" },
  cut: { word: "No answer", icon: "cut", mark: "?" },
  waiting: { word: "Connecting", icon: "question", mark: "…" },
};

const LISTED = 4;

/** What the strip says: the snapshot's own state, unless what the page has is too old to say anything of now. */
export function standing(state, now) {
  const { snapshot, cut, paused, denied } = state;
  const old = snapshotAge(state, now);
  if (denied) return { kind: "unknown", reasons: ["Your session may not see the state of the system (scope tallymill.read)."] };
  if (!snapshot) return cut === null ? { kind: "waiting", reasons: [] } : { kind: "cut", reasons: [silence(cut, now)] };
  if (cut !== null) return { kind: "cut", reasons: [silence(cut, now), before(snapshot)] };
  if (!paused && old > STALE_SECONDS) {
    return { kind: "unknown", reasons: [`The console has seen nothing new for ${age(old)}.`, before(snapshot)] };
  }
  return { kind: STATES[snapshot.state] ? snapshot.state : "unknown", reasons: snapshot.reasons, since: snapshot.since };
}

const silence = (cut, now) => `The console has not answered for ${age((now - cut) / 1000)}. The page keeps asking.`;
const before = (snapshot) => `What you see is what was last known: ${(STATES[snapshot.state] ?? STATES.unknown).word.toLowerCase()}.`;

function useTabTitle(kind) {
  useEffect(() => {
    document.title = `${STATES[kind].mark} ${STATES[kind].word} – tallymill`;
    const shape = { well: "well", degraded: "degraded", down: "down" }[kind] ?? "unknown";
    document.querySelector("link[rel=icon]").href = `/page/icons/${shape}.svg`;
  }, [kind]);
}

function Since({ since, now }) {
  if (!since) return null;
  return html`<span class="strip-since">since ${nearby(since, now)} <span class="quiet">(${age(secondsSince(since, now))})</span></span>`;
}

/** The first reason stands beside the state; the others below it. */
function Reasons({ reasons }) {
  const [first, ...others] = reasons;
  if (!first) return html`<p class="strip-reason quiet">Every accepted batch is counted, or has another known fate.</p>`;
  const rest = others.length - LISTED;
  return html`<p class="strip-reason"><${Words} text=${first} /></p>
    ${others.length > 0 &&
    html`<ul class="strip-others">
      ${others.slice(0, LISTED).map((reason) => html`<li key=${reason}><${Words} text=${reason} /></li>`)}
      ${rest > 0 && html`<li>and ${rest} more</li>`}
    </ul>`}`;
}

function Fresh({ state, now }) {
  const old = snapshotAge(state, now);
  if (old === null) return null;
  const stale = old > STALE_SECONDS;
  const said = stale && !state.paused ? "old" : state.paused ? "paused" : "live";
  return html`<p class="fresh">
    <span class=${`fresh-mark fresh-${said}`} aria-hidden="true"></span>
    <span>${{ paused: "Paused, as of", old: "Old, as of", live: "As of" }[said]} <time dateTime=${state.snapshot.asOf} class="fresh-age">${ago(old)}</time></span>
  </p>`;
}

export function Strip() {
  const state = useStore(live);
  const now = useNow();
  const { kind, reasons, since } = standing(state, now);
  const { word, icon } = STATES[kind];
  useTabTitle(kind);
  return html`<section class=${`strip strip-${kind}`} aria-label="State of the system">
    <div class="strip-state"><${Icon} name=${icon} /></div>
    <div class="strip-words">
      <p class="strip-head">
        <strong class="strip-word" role="status">${word}</strong>
        <${Since} since=${since} now=${now} />
      </p>
      ${kind !== "waiting" && html`<${Reasons} reasons=${reasons} />`}
    </div>
    <div class="strip-side">
      <${Fresh} state=${state} now=${now} />
      <button type="button" class="small" aria-pressed=${state.paused} onClick=${() => setPaused(!state.paused)}>
        <${Icon} name=${state.paused ? "play" : "pause"} />${state.paused ? "Resume" : "Pause"}
      </button>
    </div>
  </section>`;
}
