// Small parts that all views use.

import { request } from "../lib/api.js";
import { UNKNOWN } from "../lib/format.js";
import { html, useCallback, useEffect, useRef, useState } from "../lib/ui.js";

const SHAPES = {
  check: () => html`<circle cx="12" cy="12" r="9" /><path d="m8 12.4 2.8 2.8L16.2 9.4" />`,
  warning: () => html`<path d="M12 3.6 21.4 20H2.6Z" /><path d="M12 10v4.4M12 17.1v.2" />`,
  stop: () => html`<path d="M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3Z" /><path d="m9 9 6 6m0-6-6 6" />`,
  question: () => html`<circle cx="12" cy="12" r="9" stroke-dasharray="3.2 2.4" /><path d="M9.6 9.6c.2-3 4.9-2.9 4.8-.1 0 2-2.4 2-2.4 4M12 16.6v.2" />`,
  cut: () => html`<path d="M4 8.5a12 12 0 0 1 4-2.4M20 8.5a12 12 0 0 0-7-3M7 12.2a8 8 0 0 1 3-1.7M17 12.2a8 8 0 0 0-2-1.3M12 18.4v.2M4 3.5l16 17" />`,
  pause: () => html`<path d="M9 6v12M15 6v12" />`,
  play: () => html`<path d="M8 5.5v13L18.5 12Z" />`,
  search: () => html`<circle cx="11" cy="11" r="6" /><path d="m15.6 15.6 4.9 4.9" />`,
  system: () => html`<rect x="3" y="4.5" width="18" height="12" rx="1.5" /><path d="M8 20h8" />`,
  light: () => html`<circle cx="12" cy="12" r="4" /><path d="M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4" />`,
  dark: () => html`<path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z" />`,
  refresh: () => html`<path d="M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 4v4.2h-4.2" />`,
  inbox: () => html`<path d="M3.5 13.5 6 5.5h12l2.5 8v5h-17Z" /><path d="M3.5 13.5H9c0 3.6 6 3.6 6 0h5.5" />`,
  lock: () => html`<rect x="5" y="10.5" width="14" height="10" rx="1.5" /><path d="M8.2 10.5V7.6a3.8 3.8 0 0 1 7.6 0v2.9" />`,
};

export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${SHAPES[name]()}</svg>`;

/** What a list counts: what Kafka has acknowledged, or what is in MongoDB. */
export const Basis = ({ kind }) => {
  const words = { accepted: "acknowledged by Kafka", counted: "in MongoDB", refused: "answered with a failure, or refused by a worker" };
  return html`<span class=${`basis basis-${kind}`} title=${`${kind}: ${words[kind]}`}>${kind}</span>`;
};

/** A value that may be unknown: seen as a dash, read as words. */
export const Value = ({ text }) =>
  text === UNKNOWN
    ? html`<span class="unknown"><span aria-hidden="true">${UNKNOWN}</span><span class="hidden">not known</span></span>`
    : text;

/** A sentence; what stands between backticks is a command or a name. */
export const Words = ({ text }) =>
  String(text)
    .split("`")
    .map((part, place) => (place % 2 ? html`<code key=${place}>${part}</code>` : part));

export const Empty = ({ icon = "inbox", title, children }) =>
  html`<div class="empty"><${Icon} name=${icon} /><p class="empty-title">${title}</p><p>${children}</p></div>`;

export const Forbidden = ({ scope, what }) =>
  html`<${Empty} icon="lock" title=${`You may not see ${what}`}>
    Your session has no scope <code>${scope}</code>. Ask the operator of this system for it.
  <//>`;

/** Where rows are cards, fewer of them are shown at first. */
export const narrow = () => matchMedia("(width <= 48rem)").matches;

/** What went wrong, and a way to try again. */
export const Problem = ({ text, again }) =>
  html`<div class="problem" role="alert">
    <${Icon} name="warning" /><span>${text}</span>
    ${again && html`<button class="small" type="button" onClick=${again}>Try again</button>`}
  </div>`;

export const Loading = ({ what }) => html`<p class="loading" role="status">Reading ${what}…</p>`;

export const Section = ({ id, title, basis, note, tools, children }) =>
  html`<section class="card" aria-labelledby=${id}>
    <header class="card-head">
      <h2 id=${id}>${title}</h2>
      ${basis && html`<${Basis} kind=${basis} />`} ${note && html`<span class="note">${note}</span>`}
      ${tools && html`<div class="tools">${tools}</div>`}
    </header>
    ${children}
  </section>`;

/** The time, every second while the page is seen. */
export function useNow() {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    let timer = null;
    const run = () => {
      clearInterval(timer);
      if (document.visibilityState === "hidden") return;
      setNow(Date.now());
      timer = setInterval(() => setNow(Date.now()), 1000);
    };
    run();
    document.addEventListener("visibilitychange", run);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", run);
    };
  }, []);
  return now;
}

/**
 * The answer to a GET: `{answer, loading, again}`. It is asked again when the path or a parameter changes, and, with
 * `everyMillis`, for as long as the page is seen. The old answer stays until the new one is there.
 */
export function useAnswer(path, parameters, everyMillis = null) {
  const [answer, setAnswer] = useState(null);
  const [loading, setLoading] = useState(true);
  const [round, setRound] = useState(0);
  const key = path === null ? null : JSON.stringify([path, parameters]);
  const last = useRef(null);
  useEffect(() => {
    if (key === null) return undefined;
    const given = new AbortController();
    if (last.current !== key) setAnswer(null);
    last.current = key;
    setLoading(true);
    request(path, { parameters, signal: given.signal }).then(
      (found) => {
        setAnswer({ ...found, at: Date.now() });
        setLoading(false);
      },
      () => {}, // given up for a newer one
    );
    return () => given.abort();
  }, [key, round]);
  const again = useCallback(() => setRound((before) => before + 1), []);
  useEffect(() => {
    if (!everyMillis) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && again(), everyMillis);
    return () => clearInterval(timer);
  }, [everyMillis]);
  return { answer, loading, again };
}
