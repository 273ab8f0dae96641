// What the page knows of the system: the last snapshot, how old it is, and whether the console answers.

import { fetchWith, session, signedOut } from "./api.js";
import { createPoll } from "./poll.js";
import { summary } from "./series.js";
import { createStore } from "./store.js";

/** A snapshot older than this is said to be old: the observer makes one every two seconds. */
export const STALE_SECONDS = 10;

const LOCAL_POINTS = 150;

/** `cut`: since when there is no answer, or null. `skew`: this clock minus the console's, in ms. */
export const live = createStore({ snapshot: null, cut: null, paused: false, denied: false, skew: 0, local: [] });

async function ask(etag, signal) {
  const response = await fetchWith("/v1/system", { etag, signal });
  const body = response.status === 200 ? await response.json() : null;
  return { status: response.status, body, etag: response.headers.get("ETag"), date: response.headers.get("Date") };
}

/** What the snapshot has no history of is remembered here, for as long as the page is open. */
export function remembered(local, snapshot) {
  const { refused, open } = summary(snapshot);
  return [...local, { refused: refused.now, open }].slice(-LOCAL_POINTS);
}

/** A Date header has whole seconds, so it is late by half of one on average. */
const skewOf = (date, at) => (date ? at - (Date.parse(date) + 500) : 0);

function heard(said) {
  if (said.kind === "refused") {
    if (said.status === 401) signedOut("The session has ended. Sign in again.");
    else live.set({ denied: true });
  } else if (said.kind === "cut") {
    live.set({ cut: live.get().cut ?? said.at });
  } else {
    const changes = { cut: null, denied: false, skew: skewOf(said.date, said.at) };
    if (said.body) Object.assign(changes, { snapshot: said.body, local: remembered(live.get().local, said.body) });
    live.set(changes);
  }
}

const poll = createPoll({
  ask,
  say: heard,
  now: () => Date.now(),
  setTimer: (callback, millis) => setTimeout(callback, millis),
  clearTimer: (timer) => clearTimeout(timer),
});

export function setPaused(paused) {
  live.set({ paused });
  poll.pause(paused);
}

/** Seconds since the snapshot was made, by the console's clock. */
export const snapshotAge = ({ snapshot, skew }, now) =>
  snapshot ? Math.max(0, (now - skew - Date.parse(snapshot.asOf)) / 1000) : null;

export function follow() {
  const seen = () => poll.hide(document.visibilityState === "hidden");
  document.addEventListener("visibilitychange", seen);
  addEventListener("online", () => poll.retryNow());
  seen();
  let before = null;
  session.watch(({ state }) => {
    if (state === before) return;
    before = state;
    if (state === "in") {
      live.set({ snapshot: null, cut: null, denied: false, local: [] });
      poll.start();
    } else poll.stop();
  });
}
