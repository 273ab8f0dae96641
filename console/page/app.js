// The page: it finds out who is signed in, then shows the part that the address names.

import { resume, session } from "./lib/api.js";
import { follow } from "./lib/live.js";
import { useRoute } from "./lib/route.js";
import { useStore } from "./lib/store.js";
import { applyTheme, chosenTheme, followSystem } from "./lib/theme.js";
import { html, render, useEffect, useErrorBoundary, useRef } from "./lib/ui.js";
import { Counts } from "./views/counts.js";
import { DeadLetters } from "./views/dead_letters.js";
import { Definitions } from "./views/definitions.js";
import { Find } from "./views/find.js";
import { Overview } from "./views/overview.js";
import { Problem } from "./views/parts.js";
import { Refusals } from "./views/refusals.js";
import { Header } from "./views/shell.js";
import { SignIn } from "./views/signin.js";
import { Strip } from "./views/strip.js";

const VIEWS = {
  overview: Overview,
  counts: Counts,
  find: Find,
  definitions: Definitions,
  refusals: Refusals,
  "dead-letters": DeadLetters,
};

/** A fault of one part must not take the strip with it. */
function Part({ route }) {
  const [error, reset] = useErrorBoundary((caught) => console.error(caught));
  // What failed on one question says nothing about the next.
  useEffect(() => error && reset(), [route]);
  if (error) return html`<section class="card"><${Problem} text="This part of the page failed. The other parts still work." again=${reset} /></section>`;
  const View = VIEWS[route.name] ?? Overview;
  return html`<${View} query=${route.query} />`;
}

function App() {
  const { state } = useStore(session);
  const route = useRoute();
  const main = useRef(null);
  const first = useRef(true);
  useEffect(() => {
    // After a change of part the keyboard goes on from its start, as after a load of a page.
    if (!first.current) main.current?.focus();
    first.current = false;
  }, [route.name]);
  const signedIn = state === "in";
  return html`<a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current.focus())}>Skip to the content</a>
    <${Header} route=${route} signedIn=${signedIn} />
    <main id="main" tabindex="-1" ref=${main}>
      ${signedIn && html`<${Strip} /><${Part} key=${route.name} route=${route} />`} ${(state === "out" || state === "cut") && html`<${SignIn} />`}
    </main>`;
}

applyTheme(chosenTheme());
followSystem();
render(html`<${App} />`, document.getElementById("page"));
follow();
resume();
