import assert from "node:assert/strict";
import { test } from "node:test";

import { createPoll, EVERY_MILLIS, LONGEST_MILLIS } from "../../../console/page/lib/poll.js";

/** A poll with a clock of its own, and answers that the test gives. */
function bench() {
  const timers = [];
  const questions = [];
  const said = [];
  const poll = createPoll({
    ask: (etag, signal) => new Promise((answer, fail) => questions.push({ etag, signal, answer, fail })),
    say: (one) => said.push(one),
    now: () => 1_000,
    setTimer: (callback, millis) => timers.push({ callback, millis, done: false }) - 1,
    clearTimer: (number) => (timers[number].done = true),
  });
  const settled = () => new Promise((done) => setImmediate(done));
  return {
    poll,
    questions,
    said,
    waiting: () => timers.filter((one) => !one.done),
    async answer(given) {
      questions.at(-1).answer(given);
      await settled();
    },
    async fail() {
      questions.at(-1).fail(new Error("cut"));
      await settled();
    },
    elapse() {
      const timer = timers.findLast((one) => !one.done);
      timer.done = true;
      timer.callback();
      return timer.millis;
    },
  };
}

const OK = { status: 200, body: { n: 1 }, etag: '"a"', date: null };

test("asks every two seconds, with the tag of the last answer", async () => {
  const { poll, questions, said, answer, elapse } = bench();
  poll.start();
  assert.equal(questions[0].etag, null);
  await answer(OK);
  assert.equal(elapse(), EVERY_MILLIS);
  assert.equal(questions[1].etag, '"a"');
  await answer({ status: 304 });
  assert.deepEqual(said.map((one) => [one.kind, one.body]), [["answer", { n: 1 }], ["answer", null]]);
  elapse();
  assert.equal(questions[2].etag, '"a"', "304 says that the tag is still good");
});

test("asks one question at a time", async () => {
  const { poll, questions, waiting } = bench();
  poll.start();
  poll.retryNow();
  poll.hide(false);
  assert.equal(questions.length, 1);
  assert.equal(waiting().length, 0);
});

test("a hidden page asks nothing, gives up what it asked, and asks at once when it is seen", async () => {
  const { poll, questions, waiting, answer, said } = bench();
  poll.start();
  poll.hide(true);
  assert.ok(questions[0].signal.aborted);
  await answer(OK);
  assert.deepEqual([said.length, waiting().length, questions.length], [0, 0, 1]);
  poll.hide(false);
  assert.equal(questions.length, 2);
});

test("paused it asks nothing, and both have to end", async () => {
  const { poll, questions, answer, waiting } = bench();
  poll.start();
  await answer(OK);
  poll.pause(true);
  assert.equal(waiting().length, 0);
  poll.hide(true);
  poll.pause(false);
  assert.equal(questions.length, 1);
  poll.hide(false);
  assert.equal(questions.length, 2);
});

test("without an answer it waits twice as long each time, up to the longest", async () => {
  const { poll, fail, elapse, said, answer } = bench();
  poll.start();
  const waits = [];
  for (let round = 0; round < 7; round += 1) {
    await fail();
    waits.push(elapse());
  }
  assert.deepEqual(waits, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, LONGEST_MILLIS]);
  assert.ok(said.every((one) => one.kind === "cut"));
  await answer(OK);
  assert.equal(elapse(), EVERY_MILLIS, "an answer ends it");
});

test("a 503 is no answer; the network's return asks at once", async () => {
  const { poll, questions, answer, waiting } = bench();
  poll.start();
  await answer({ status: 503 });
  poll.retryNow();
  assert.equal(questions.length, 2);
  assert.equal(waiting().length, 0);
});

test("401 and 403 end it until it is started again", async () => {
  for (const status of [401, 403]) {
    const { poll, questions, answer, waiting, said } = bench();
    poll.start();
    await answer({ status });
    assert.deepEqual(said, [{ kind: "refused", status }]);
    poll.hide(true);
    poll.hide(false);
    assert.deepEqual([waiting().length, questions.length], [0, 1]);
    poll.start();
    assert.equal(questions.length, 2);
    assert.equal(questions[1].etag, null);
  }
});
