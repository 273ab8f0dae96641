// Asks for one document again and again, and says what came of it. It knows no browser: the page gives it a clock,
// timers and a way to ask, and tests give it their own.
//
// - One question at a time. The next follows `everyMillis` after the answer.
// - Hidden or paused: none. Visible again: at once.
// - Without an answer it waits twice as long each time, at most `longestMillis`. `retryNow` asks at once (the browser
//   says that the network is back).
// - 401 and 403 end it until `start` is called again: the same token is refused again.

export const EVERY_MILLIS = 2_000;
export const LONGEST_MILLIS = 30_000;

export function createPoll({ ask, say, now, setTimer, clearTimer, everyMillis = EVERY_MILLIS }) {
  let state = { on: false, hidden: false, paused: false };
  let timer = null;
  let asking = null;
  let failures = 0;
  let etag = null;

  const wanted = () => state.on && !state.hidden && !state.paused;

  function halt() {
    if (timer !== null) clearTimer(timer);
    timer = null;
    asking?.abort();
    asking = null;
  }

  function later(millis) {
    if (wanted()) timer = setTimer(once, millis);
  }

  async function once() {
    timer = null;
    const mine = new AbortController();
    asking = mine;
    let answer;
    try {
      answer = await ask(etag, mine.signal);
    } catch {
      answer = { status: 0 };
    }
    // Given up in the meantime: hidden, paused or signed out.
    if (asking !== mine) return;
    asking = null;
    heard(answer);
  }

  function heard({ status, body, etag: tag, date }) {
    if (status === 200 || status === 304) {
      failures = 0;
      if (status === 200) etag = tag ?? null;
      say({ kind: "answer", body: status === 200 ? body : null, at: now(), date });
      later(everyMillis);
    } else if (status === 401 || status === 403) {
      state = { ...state, on: false };
      say({ kind: "refused", status });
    } else {
      failures += 1;
      say({ kind: "cut", status, at: now() });
      later(Math.min(LONGEST_MILLIS, everyMillis * 2 ** (failures - 1)));
    }
  }

  function change(changes) {
    const before = wanted();
    state = { ...state, ...changes };
    if (before && !wanted()) halt();
    if (!before && wanted()) once();
  }

  return {
    /** Starts anew: nothing is known of what was asked before. */
    start() {
      halt();
      state = { ...state, on: false };
      failures = 0;
      etag = null;
      change({ on: true });
    },
    stop: () => change({ on: false }),
    hide: (hidden) => change({ hidden }),
    pause: (paused) => change({ paused }),
    retryNow() {
      if (!wanted() || timer === null) return;
      halt();
      failures = 0;
      once();
    },
  };
}
