// Who is signed in, and how the page asks. A pasted token is kept in this module alone: in no storage, no cookie and
// no address. It is gone with the tab.

import { createStore } from "./store.js";

const TIMEOUT_MILLIS = 10_000;

export const SCOPES = { read: "tallymill.read", refusals: "tallymill.refusals", operate: "tallymill.operate" };

/** `state`: asking | out | in. `scopes`: null if the console did not say. */
export const session = createStore({ state: "asking", app: null, player: null, scopes: null, login: null, notice: null });

let token = null;
let csrf = null;

export const allowed = (scope) => {
  const { scopes } = session.get();
  return scopes === null || scopes.includes(scope);
};

/** Only the header's characters: a pasted line break or a "Bearer " in front is no reason to refuse it. */
export const cleanToken = (text) => text.trim().replace(/^authorization:\s*/i, "").replace(/^bearer\s+/i, "");

/** What a token says of itself. It is shown and decides nothing: the console checks each request. */
export function claimsOf(text) {
  try {
    const payload = text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(payload), (one) => one.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return claims !== null && typeof claims === "object" ? claims : {};
  } catch {
    return {};
  }
}

function headers(more) {
  return { Accept: "application/json", ...(token === null ? {} : { Authorization: `Bearer ${token}` }), ...more };
}

const query = (parameters) => {
  const given = Object.entries(parameters ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return text && `?${text}`;
};

/** A fetch with this session. It rejects if there is no answer in time. */
export async function fetchWith(path, { method = "GET", etag = null, signal = null, body } = {}) {
  const late = AbortSignal.timeout(TIMEOUT_MILLIS);
  const more = {};
  if (etag !== null) more["If-None-Match"] = etag;
  if (body !== undefined) more["Content-Type"] = "application/json";
  if (method !== "GET" && csrf !== null) more["X-CSRF-Token"] = csrf;
  return fetch(path, {
    method,
    headers: headers(more),
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal === null ? late : AbortSignal.any([late, signal]),
    cache: "no-store",
    credentials: "same-origin",
    redirect: "error",
  });
}

async function jsonOf(response) {
  try {
    return await response.json();
  } catch {
    return null;
  }
}

/** The sentence of an error's body, or one for its status. */
function problemOf(status, body) {
  const said = body?.error?.message;
  if (typeof said === "string" && said) return said;
  const words = { 401: "The session has ended. Sign in again.", 403: "Not allowed.", 404: "Not found." };
  return words[status] ?? `The console answered with status ${status}.`;
}

/** `{status, body, problem}`; status 0 is no answer. A 401 signs out. Never rejects, but for a signal's abort. */
export async function request(path, { parameters, ...options } = {}) {
  let response;
  try {
    response = await fetchWith(path + query(parameters), options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    return { status: 0, body: null, problem: "The console did not answer." };
  }
  const body = await jsonOf(response);
  if (response.status === 401) signedOut("The session has ended. Sign in again.");
  return { status: response.status, body, problem: response.ok ? null : problemOf(response.status, body) };
}

const listed = (scopes) => (Array.isArray(scopes) ? scopes : typeof scopes === "string" ? scopes.split(" ") : null);

function signedIn(who) {
  csrf = who.csrfToken ?? null;
  session.set({
    state: "in",
    app: who.app ?? null,
    player: who.player ?? null,
    scopes: listed(who.scopes ?? who.scope),
    notice: null,
  });
}

export function signedOut(notice = null) {
  token = null;
  csrf = null;
  session.set({ state: "out", app: null, player: null, scopes: null, notice });
}

/** Asks who this is: by the cookie that the browser has, or by the token. */
async function whoIsThis() {
  let response;
  try {
    response = await fetchWith("/v1/session");
  } catch {
    return { status: 0, who: {} };
  }
  return { status: response.status, who: (await jsonOf(response)) ?? {} };
}

/** At the start of the page. */
export async function resume() {
  const { who } = await whoIsThis();
  session.set({ login: typeof who.login === "string" && who.login.startsWith("/") ? who.login : null });
  if (who.signedIn === true) signedIn(who);
  else signedOut();
}

/** With a pasted token: null if it is good, or what is wrong with it. */
export async function signInWith(text) {
  const given = cleanToken(text);
  if (!given) return "Paste a token first.";
  if (!/^[\x21-\x7e]+$/.test(given)) return "That is no token: it has characters that a token cannot have.";
  token = given;
  const { status, who } = await whoIsThis();
  if (status === 0) return abandon("The console did not answer. Is it running?");
  if (status === 404 || who.signedIn === true) {
    const claims = claimsOf(given);
    signedIn(status === 404 ? { app: claims.app ?? null, player: claims.sub ?? null, scopes: claims.scope ?? claims.scopes } : who);
    return null;
  }
  return abandon(who.error?.message ?? "The console does not accept this token. It may have expired.");
}

function abandon(problem) {
  token = null;
  return problem;
}

export async function signOut() {
  const cookie = token === null;
  if (cookie) await request("/logout", { method: "POST" });
  signedOut();
}
