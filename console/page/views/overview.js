// Now: the numbers, the balance, the partitions, and what was checked last.

import { ago, moment, secondsSince } from "../lib/format.js";
import { live } from "../lib/live.js";
import { useStore } from "../lib/store.js";
import { html } from "../lib/ui.js";
import { Balance } from "./balance.js";
import { Empty, Forbidden, Icon, Section, Words } from "./parts.js";
import { Partitions } from "./partitions.js";
import { Tiles } from "./tiles.js";

const VERIFY_DAYS = 7;

function Check({ name, what, found, now }) {
  if (!found) {
    return html`<div class="check check-never">
      <${Icon} name="question" />
      <div><h3>${name}</h3><p>No run is known. <code>tallymill ${name}</code> ${what}.</p></div>
    </div>`;
  }
  const old = secondsSince(found.at, now);
  const overdue = name === "verify" && old > VERIFY_DAYS * 86_400;
  const tone = !found.ok ? "down" : overdue ? "degraded" : "well";
  const words = !found.ok ? "found a fault" : overdue ? "is overdue" : "found no fault";
  return html`<div class=${`check check-${tone}`}>
    <${Icon} name=${{ down: "stop", degraded: "warning", well: "check" }[tone]} />
    <div>
      <h3>${name} <span class="check-words">${words}</span></h3>
      <p><${Words} text=${found.detail} /></p>
      <p class="quiet"><time dateTime=${found.at}>${moment(found.at)}</time> (${ago(old)})</p>
    </div>
  </div>`;
}

const Checks = ({ snapshot }) => html`<${Section} id="checks" title="Last checks">
  <div class="checks">
    <${Check} name="verify" what="recounts from Kafka and compares" found=${snapshot.lastVerify} now=${Date.parse(snapshot.asOf)} />
    <${Check} name="doctor" what="looks at clocks, settings and servers" found=${snapshot.lastDoctor} now=${Date.parse(snapshot.asOf)} />
  </div>
<//>`;

const Welcome = () => html`<section class="card">
  <${Empty} icon="inbox" title="Waiting for the first batch">
    All is ready, and nothing was accepted yet. Send one with the command that <code>tallymill up</code> printed, or try a minute of load.
  <//>
  <pre class="welcome-command" tabindex="0">tallymill load --rate 50 --seconds 60</pre>
</section>`;

/** In the shape of what comes, so that nothing jumps. */
const Skeleton = () => html`<div class="tiles" aria-hidden="true">${[0, 1, 2, 3, 4, 5].map((one) => html`<div key=${one} class="tile tile-waiting"></div>`)}</div>`;

export function Overview() {
  const { snapshot, local, denied, cut } = useStore(live);
  if (denied) return html`<section class="card"><${Forbidden} scope="tallymill.read" what="the state of the system" /></section>`;
  if (!snapshot) {
    return cut === null
      ? html`<${Skeleton} />`
      : html`<section class="card"><${Empty} icon="cut" title="Nothing is known yet">The console has not answered since this page was opened. As soon as it does, the page fills by itself.<//></section>`;
  }
  const untouched = snapshot.topics.length > 0 && snapshot.topics.every((topic) => topic.accepted === 0);
  return html`<h1 class="hidden">Overview</h1>
    ${untouched && html`<${Welcome} />`}
    <${Tiles} snapshot=${snapshot} local=${local} />
    <div class="columns">
      <${Balance} topics=${snapshot.topics} />
      <${Checks} snapshot=${snapshot} />
    </div>
    <${Partitions} snapshot=${snapshot} />`;
}
