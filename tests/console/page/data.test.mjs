import assert from "node:assert/strict";
import { test } from "node:test";

import { cleanToken } from "../../../console/page/lib/api.js";
import { arrange, bounds, OTHER, RANGES, startOf, stepFor, stepsFor } from "../../../console/page/lib/counts.js";
import { remembered, snapshotAge } from "../../../console/page/lib/live.js";
import { parseRoute, routeTo } from "../../../console/page/lib/route.js";
import { sparkline, standingOf, summary, worstFirst } from "../../../console/page/lib/series.js";
import { meanings } from "../../../console/page/views/find.js";
import { standing } from "../../../console/page/views/strip.js";

const topic = (api, changed) => ({
  api,
  topic: api,
  acceptedPerSecond: 10,
  countedPerSecond: 9,
  lagSeconds: 0,
  visible: null,
  deadLettersOpen: 0,
  partitions: [],
  ...changed,
});
const partition = (changed) => ({ partition: 0, owner: "w", lagRecords: 0, lagSeconds: 0, stopped: null, ...changed });
const snapshot = (topics, changed) => ({ asOf: "2026-11-23T00:00:00.000Z", topics, refusedPerSecond: {}, ...changed });

test("a sum is unknown if a part of it is", () => {
  const found = summary(snapshot([topic("games"), topic("analytics", { acceptedPerSecond: null, lagSeconds: null })]));
  assert.equal(found.accepted.now, null);
  assert.equal(found.lag.now, null);
  assert.equal(found.counted.now, 18);
});

test("an API where nothing happens hides no latency of the other", () => {
  const games = topic("games", { visible: { p50: 0.05, p99: 0.2 } });
  const found = summary(snapshot([games, topic("analytics")]));
  assert.deepEqual([found.p50.now, found.p99.now], [0.05, 0.2]);
});

test("no causes are no refusals, and unknown causes are unknown", () => {
  assert.equal(summary(snapshot([])).refused.now, 0);
  assert.equal(summary(snapshot([], { refusedPerSecond: null })).refused.now, null);
});

test("a history without a topic's line, or with a gap, stays unknown there", () => {
  const history = {
    at: ["a", "b"],
    games: { accepted: [1, null], counted: [], lagSeconds: [], p50: [], p99: [] },
    analytics: { accepted: [2, 2], counted: [], lagSeconds: [], p50: [], p99: [] },
  };
  assert.deepEqual(summary(snapshot([topic("games")], { history })).accepted.line, [3, null]);
  assert.equal(sparkline([1, null, 2, 3], 30, 10).length, 2, "two pieces of line");
});

test("what the page remembers of refusals and dead letters is unknown while they are", () => {
  const unknown = snapshot([topic("games", { deadLettersOpen: null })], { refusedPerSecond: null });
  const known = snapshot([topic("games", { deadLettersOpen: 2 })], { refusedPerSecond: { NOT_FOUND: 1.5 } });
  const found = remembered(remembered([], known), unknown);
  assert.deepEqual(found, [{ refused: 1.5, open: 2 }, { refused: null, open: null }]);
  assert.equal(remembered(new Array(150).fill(found[0]), known).length, 150);
});

test("partitions: stopped, without owner, behind, fine; unknown is not fine", () => {
  const given = [
    partition({ partition: 0 }),
    partition({ partition: 1, lagSeconds: 99 }),
    partition({ partition: 2, owner: null, lagRecords: 3 }),
    partition({ partition: 3, stopped: "the log was cut" }),
    partition({ partition: 4, lagSeconds: null }),
    partition({ partition: 5, owner: null, lagRecords: null, lagSeconds: null }),
    partition({ partition: 6, owner: null }),
    partition({ partition: 7, owner: null, lastFlush: "2026-11-23T00:00:00.000Z" }),
  ];
  assert.deepEqual(given.map(standingOf), [3, 2, 1, 0, 4, 4, 5, 1]);
  const order = worstFirst([topic("games", { partitions: given })]).map((one) => one.partition);
  assert.deepEqual(order, [3, 2, 7, 1, 0, 4, 5, 6]);
});

const NOW = Date.parse("2026-11-23T00:00:01.000Z");
const state = (changed) => ({
  snapshot: snapshot([], { state: "well", since: "2026-11-22T00:00:00.000Z", reasons: [] }),
  cut: null,
  paused: false,
  denied: false,
  skew: 0,
  ...changed,
});

test("the strip says all well only of a fresh snapshot that says so", () => {
  assert.equal(standing(state(), NOW).kind, "well");
  assert.equal(standing(state(), NOW + 60_000).kind, "unknown", "the observer stands still");
  assert.equal(standing(state({ cut: NOW }), NOW).kind, "cut", "the console does not answer");
  assert.equal(standing(state({ snapshot: null }), NOW).kind, "waiting");
  assert.equal(standing(state({ denied: true }), NOW).kind, "unknown");
  assert.equal(standing(state({ snapshot: snapshot([], { state: "new word", reasons: [] }) }), NOW).kind, "unknown");
});

test("an age is by the console's clock, not by the viewer's", () => {
  assert.equal(snapshotAge(state({ skew: 3_600_000 }), NOW + 3_600_000), 1);
  assert.equal(snapshotAge(state({ skew: 5_000 }), NOW), 0);
});

test("every range has a step, of at most 1,400 points, and its own is among them", () => {
  for (const [range, , millis] of RANGES) {
    assert.ok(stepsFor(range).includes(stepFor(range)), range);
    assert.ok(stepsFor(range).every((step) => step !== "minute" || millis / 60_000 <= 1_400));
  }
});

test("a line begins with a whole step", () => {
  const { from, to } = bounds("7d", "day", Date.parse("2026-11-23T13:07:05Z"));
  const start = new Date(from);
  assert.deepEqual([start.getHours(), start.getMinutes()], [0, 0]);
  assert.ok(to - from >= 7 * 86_400_000);
});

test("no range is longer than the console allows, and each begins with a whole step", () => {
  for (let day = 0; day < 400; day += 1) {
    const now = Date.parse("2026-01-01T13:07:05Z") + day * 86_400_000;
    for (const [range] of RANGES) {
      for (const step of stepsFor(range)) {
        const { from, to } = bounds(range, step, now);
        assert.ok(to - from <= 400 * 86_400_000, `${range} ${step} ${new Date(now)}`);
        assert.equal(from, startOf(step, from));
      }
    }
  }
});

test("counts become lines, the largest first, other events last, and no line of nothing", () => {
  const row = (at, event, count) => ({ at: `2026-11-23T0${at}:00:00.000Z`, event, count });
  const rows = [row(0, "A", 1), row(0, OTHER, 90), row(1, "A", 2), row(1, "B", 50), row(1, "C", 0)];
  const found = arrange(rows, null);
  assert.deepEqual(found.lines.map((line) => [line.event, line.values]), [["B", [0, 50]], ["A", [1, 2]], [OTHER, [90, 0]]]);
  assert.equal(found.total, 143);
});

test("what was typed says what it may be", () => {
  const kinds = (...given) => meanings(...given).map((one) => one.kind);
  assert.deepEqual(kinds("r1.3.1234.1790000000000.1789999999990.ab12"), ["receipt"]);
  assert.deepEqual(kinds("r1.3.1234.1790000000000.ab12"), ["receipt"]);
  assert.deepEqual(kinds("-42"), ["player"], "of whom is not known");
  assert.deepEqual(kinds("-42", "ann"), ["request"]);
  assert.deepEqual(meanings("ann/7")[0], { kind: "request", text: "7", player: "ann" });
  assert.deepEqual(kinds("~4f"), ["player"]);
});

test("a pasted token loses what came with it", () => {
  assert.equal(cleanToken("  Bearer abc\n"), "abc");
  assert.equal(cleanToken("Authorization: Bearer abc"), "abc");
});

test("an address and back", () => {
  assert.equal(routeTo("overview"), "#/");
  const route = routeTo("find", { q: "a b&c=ü" });
  assert.deepEqual(parseRoute(route), { name: "find", query: { q: "a b&c=ü" } });
  assert.deepEqual(parseRoute(""), { name: "overview", query: {} });
});
