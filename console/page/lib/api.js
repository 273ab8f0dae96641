// Who is signed in, and how the page asks. A pasted token is kept in this module alone: in no storage, no cookie and
// no address. It is gone with the tab.

import { createStore } from "./store.js";

const TIMEOUT_MILLIS = 10_000;

export const SCOPES = { read: "tallymill.read", refusals: "tallymill.refusals", operate: "tallymill.operate" };

/** `state`: asking | out | in | cut. `oidc`: whether one can sign in at the issuer. */
const NOBODY = { app: null, subject: null, scopes: [], notice: null };
export const session = createStore({ state: "asking", oidc: false, ...NOBODY });

let token = null;
let csrf = null;

export const allowed = (scope) => session.get().scopes.includes(scope);

/** Only the header's characters: a pasted line break or a "Bearer " in front is no reason to refuse it. */
export const cleanToken = (text) => text.trim().replace(/^authorization:\s*/i, "").replace(/^bearer\s+/i, "");

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

/** null if it is no JSON, as a proxy's page of an error. It rejects if the rest of the body never comes. */
async function jsonOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What is wrong with which parameter, where the answer says so. */
const violationsOf = (error) =>
  (error.details ?? []).flatMap((one) => one.fieldViolations ?? []).map((one) => `${one.field}: ${one.description}.`);

/** The sentence of an error's body, or one for its status. */
function problemOf(status, body) {
  const said = body?.error?.message;
  if (typeof said === "string" && said) return [said, ...violationsOf(body.error)].join(" ");
  const words = { 401: "The session has ended. Sign in again.", 403: "Not allowed.", 404: "Not found." };
  return words[status] ?? `The console answered with status ${status}.`;
}

/**
 * `{status, body, problem}`: a body or a problem, also if the answer ends in its middle. Status 0 is no answer. A 401
 * signs out. Never rejects, but for a signal's abort: what was given up has no answer, however much of it has come.
 */
export async function request(path, { parameters, ...options } = {}) {
  let response, body;
  try {
    response = await fetchWith(path + query(parameters), options);
    body = await jsonOf(response);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    return { status: 0, body: null, problem: "The console did not answer." };
  }
  if (response.status === 401 && session.get().state === "in") signedOut("The session has ended. Sign in again.");
  if (response.ok && body === null) return { status: 0, body, problem: "The console's answer cannot be read." };
  return { status: response.status, body, problem: response.ok ? null : problemOf(response.status, body) };
}

function signedIn({ app, subject, scopes, csrfToken }) {
  csrf = csrfToken ?? null;
  session.set({ state: "in", app, subject, scopes, notice: null });
}

export function signedOut(notice = null) {
  token = null;
  csrf = null;
  session.set({ state: "out", ...NOBODY, notice });
}

/** At the start of the page: who is it, by the cookie that the browser has? */
export async function resume() {
  const { status, body, problem } = await request("/v1/session");
  if (status !== 200) {
    session.set({ state: "cut", notice: problem });
    return;
  }
  session.set({ oidc: body.signIn.includes("oidc") });
  if (body.signedIn) signedIn(body);
  else signedOut();
}

/** With a pasted token: null if it is good, or what is wrong with it. */
export async function signInWith(text) {
  const given = cleanToken(text);
  if (!given) return "Paste a token first.";
  if (!/^[\x21-\x7e]+$/.test(given)) return "That is no token: it has characters that a token cannot have.";
  token = given;
  const { body, problem } = await request("/v1/session");
  if (body?.signedIn) {
    signedIn(body);
    return null;
  }
  token = null;
  return problem ?? "The console does not accept this token. It may have expired.";
}

/** A pasted token is forgotten. A session of the console ends there too, and at the issuer if that has a page for it. */
export async function signOut() {
  if (token === null) {
    const { body } = await request("/logout", { method: "POST" });
    if (body?.endSessionUrl) location.assign(body.endSessionUrl);
  }
  signedOut();
}
