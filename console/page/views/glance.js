// Every partition as a square: hundreds are seen at once, and a bad one stands out by its colour and its sign.

import { plural } from "../lib/format.js";
import { standingOf } from "../lib/series.js";
import { html } from "../lib/ui.js";

const KINDS = [
  { name: "stopped", sign: "×" },
  { name: "unowned", sign: "!", words: "without an owner" },
  { name: "behind", sign: "~" },
  { name: "fine", sign: "", words: "in step" },
  { name: "unknown", sign: "?", words: "not known" },
  { name: "unused", sign: "" },
];

function said(topic, standings) {
  const counts = KINDS.map((kind, place) => [kind.words ?? kind.name, standings.filter((one) => one === place).length]);
  const parts = counts.filter(([, many]) => many).map(([words, many]) => `${many} ${words}`);
  return `${topic.api}: ${plural(standings.length, "partition", "partitions")}, ${parts.join(", ")}`;
}

function Squares({ topic }) {
  const standings = topic.partitions.map(standingOf);
  if (!standings.length) return null;
  return html`<div class="glance">
    <h3>${topic.api}</h3>
    <div class="squares" role="img" aria-label=${said(topic, standings)}>
      ${standings.map((one, place) => html`<i key=${place} class=${`square square-${KINDS[one].name}`} title=${`${topic.api} ${topic.partitions[place].partition}: ${KINDS[one].words ?? KINDS[one].name}`}>${KINDS[one].sign}</i>`)}
    </div>
  </div>`;
}

export const Glance = ({ topics }) =>
  topics.some((topic) => topic.partitions.length) &&
  html`<div class="glances">${topics.map((topic) => html`<${Squares} key=${topic.api} topic=${topic} />`)}</div>`;
