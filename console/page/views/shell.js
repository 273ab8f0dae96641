// What stands around every part: the name, the parts, the find box, the theme, and who is signed in.

import { session, signOut } from "../lib/api.js";
import { go, routeTo } from "../lib/route.js";
import { THEMES, chooseTheme, chosenTheme } from "../lib/theme.js";
import { html, useEffect, useRef, useState } from "../lib/ui.js";
import { useStore } from "../lib/store.js";
import { Icon } from "./parts.js";

export const PARTS = [
  ["overview", "Overview"],
  ["counts", "Counts"],
  ["definitions", "Definitions"],
  ["refusals", "Refusals"],
  ["dead-letters", "Dead letters"],
];

const Mark = () => html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
  <path d="M7 7v18M13 7v18M19 7v18M25 7v18" /><path class="mark-fifth" d="M3.5 22.5 28.5 9.5" />
</svg>`;

function Theme() {
  const [theme, setTheme] = useState(chosenTheme());
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const turn = () => {
    chooseTheme(next);
    setTheme(next);
  };
  return html`<button type="button" class="quiet-button" onClick=${turn} aria-label=${`Theme: ${theme}. Change to ${next}`} title=${`Theme: ${theme}`}>
    <${Icon} name=${theme} />
  </button>`;
}

export function FindBox({ query }) {
  const [text, setText] = useState(query ?? "");
  const submit = (event) => {
    event.preventDefault();
    if (text.trim()) go("find", { q: text.trim() });
  };
  return html`<form role="search" class="find-box" onSubmit=${submit}>
    <label class="hidden" for="find">Find a receipt, a requestId or a player</label>
    <${Icon} name="search" />
    <input id="find" type="search" autocomplete="off" spellcheck="false" maxlength="400" placeholder="Receipt, requestId or player" value=${text} onInput=${(event) => setText(event.target.value)} />
    <button type="submit" class="small">Find</button>
  </form>`;
}

function Account() {
  const { app, subject } = useStore(session);
  return html`<div class="account">
    <span class="account-name" title=${subject ? `Signed in as ${subject}` : "Signed in"}>${[app, subject].filter(Boolean).join(" / ") || "signed in"}</span>
    <button type="button" class="quiet-button" onClick=${signOut}>Sign out</button>
  </div>`;
}

/** On a narrow screen the parts scroll sideways: the current one is brought into view. */
function Parts({ name }) {
  const nav = useRef(null);
  useEffect(() => {
    const current = nav.current.querySelector("[aria-current]");
    if (current) nav.current.scrollLeft = current.offsetLeft - nav.current.clientWidth / 3;
  }, [name]);
  return html`<nav aria-label="Parts" class="parts" ref=${nav}>
    ${PARTS.map(([part, label]) => html`<a key=${part} href=${routeTo(part)} aria-current=${name === part ? "page" : undefined}>${label}</a>`)}
  </nav>`;
}

export function Header({ route, signedIn }) {
  return html`<header class="top">
    <div class="top-row">
      <a class="brand" href=${routeTo("overview")}><${Mark} />tallymill</a>
      ${signedIn && html`<${Parts} name=${route.name} />`}
      <div class="top-side">
        ${signedIn && html`<${FindBox} key=${route.query.q ?? ""} query=${route.name === "find" ? route.query.q : ""} />`}
        <${Theme} />
        ${signedIn && html`<${Account} />`}
      </div>
    </div>
  </header>`;
}
