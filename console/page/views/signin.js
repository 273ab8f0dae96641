// Not signed in: what this is, and how to get in.

import { resume, session, signInWith } from "../lib/api.js";
import { useStore } from "../lib/store.js";
import { html, useState } from "../lib/ui.js";
import { Icon } from "./parts.js";

function TokenForm({ first }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    const said = await signInWith(text);
    setBusy(false);
    setProblem(said);
    if (said === null) setText("");
  }
  return html`<form onSubmit=${submit} class="signin-form">
    <label for="token">Bearer token</label>
    <textarea id="token" rows="4" spellcheck="false" autocomplete="off" autocapitalize="off" placeholder="eyJ…" value=${text} onInput=${(event) => setText(event.target.value)} aria-describedby="token-help" aria-invalid=${problem !== null}></textarea>
    ${problem && html`<p class="field-problem" role="alert"><${Icon} name="warning" />${problem}</p>`}
    <p id="token-help" class="quiet">It stays in this tab’s memory and is gone when you close or reload it.</p>
    <button type="submit" class=${first ? "primary" : ""} disabled=${busy}>${busy ? "Signing in…" : "Sign in with the token"}</button>
  </form>`;
}

const Local = () => html`<details class="signin-help">
  <summary>Where do I get a token?</summary>
  <p>On this machine, <code>tallymill up</code> prints a link that opens this page signed in. Or make a token:</p>
  <pre tabindex="0">tallymill token --app demo --player me --scope tallymill.read</pre>
  <p>Add <code>--scope tallymill.refusals</code> for refusals and dead letters, <code>--scope tallymill.operate</code> to redrive them.</p>
</details>`;

/** The page is there, and what it asks is not: the console stops, or has no keys yet. */
const Unreached = ({ problem }) => html`<section class="signin card" aria-labelledby="signin-title">
  <h1 id="signin-title">The console is not ready</h1>
  <p class="notice" role="status"><${Icon} name="cut" />${problem}</p>
  <button type="button" class="primary" onClick=${resume}>Try again</button>
</section>`;

export function SignIn() {
  const { state, oidc, notice } = useStore(session);
  if (state === "cut") return html`<${Unreached} problem=${notice} />`;
  return html`<section class="signin card" aria-labelledby="signin-title">
    <h1 id="signin-title">Sign in to tallymill</h1>
    <p>See what was accepted, what was counted, and that both agree.</p>
    ${notice && html`<p class="notice" role="status"><${Icon} name="lock" />${notice}</p>`}
    ${oidc && html`<a class="button primary" href="/login">Sign in</a><p class="or"><span>or</span></p>`}
    <${TokenForm} first=${!oidc} />
    <${Local} />
  </section>`;
}
