import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../../console/page/lib/format.js";

const EN = "en-US";
const plain = (text) => text.replaceAll("\u202f", " ");
const duration = (seconds) => plain(format.duration(seconds, EN));

test("unknown is never written as a number", () => {
  const { count, compact, rate, signed, duration, age, ago, clock, moment, nearby } = format;
  for (const write of [count, compact, rate, signed, duration, age, ago, clock, moment, nearby]) {
    for (const unknown of [null, undefined]) assert.equal(write(unknown, EN), format.UNKNOWN, write.name);
  }
  assert.equal(format.percent(null, 10, EN), format.UNKNOWN);
  assert.equal(format.percent(1, 0, EN), format.UNKNOWN);
  assert.equal(format.secondsSince(null, 0), null);
});

test("nothing is written as 0", () => {
  assert.equal(format.count(0, EN), "0");
  assert.equal(format.rate(0, EN), "0");
  assert.equal(format.signed(0, EN), "0");
  assert.equal(duration(0), "0 s");
});

test("a rate keeps three digits, and what moves is never 0", () => {
  assert.deepEqual(
    [1_234_567, 3_668.4, 120.5, 12.34, 1.425, 0.004].map((one) => format.rate(one, EN)),
    ["1.2M", "3,668", "121", "12.3", "1.43", "<0.01"],
  );
});

test("a length of time has at most two units", () => {
  const expected = {
    0.0001: "1 ms",
    0.245: "245 ms",
    0.9994: "999 ms",
    0.9996: "1 s",
    1.244: "1.24 s",
    59.99: "59.9 s",
    60: "1 m",
    252: "4 m 12 s",
    3600: "1 h",
    11_520: "3 h 12 m",
    187_200: "2 d 4 h",
  };
  for (const [seconds, text] of Object.entries(expected)) assert.equal(duration(Number(seconds)), text);
});

test("no length of time ever has 60 of a unit", () => {
  for (let seconds = 0.01; seconds < 400_000; seconds *= 1.0173) {
    assert.doesNotMatch(duration(seconds), /\b(60 [sm]|24 h|1,?000 ms)\b/, String(seconds));
  }
});

test("an age is in whole seconds, and what is younger than one is now", () => {
  assert.equal(plain(format.age(41.9, EN)), "41 s");
  assert.equal(format.ago(0.9, EN), "now");
  assert.equal(plain(format.ago(61, EN)), "1 m 1 s ago");
  assert.equal(plain(format.age(-3, EN)), "0 s", "clocks differ; no age is negative");
});

test("a share that is there is not 0 %, and one that lacks something is not 100 %", () => {
  assert.equal(format.percent(3, 18_000_000, EN), "<0.1%");
  assert.equal(format.percent(17_999_997, 18_000_000, EN), ">99%");
  assert.equal(format.percent(0, 5, EN), "0%");
  assert.equal(format.percent(5, 5, EN), "100%");
  assert.equal(format.percent(41, 1_000, EN), "4.1%");
});

test("a difference has its sign", () => {
  assert.equal(format.signed(2, EN), "+2");
  assert.equal(format.signed(-2, EN), "-2");
});

test("times are the zone's and the locale's", () => {
  const at = "2026-11-23T13:07:05.000Z";
  assert.equal(plain(format.clock(at, EN, "UTC")), "1:07:05 PM");
  assert.equal(plain(format.clock(at, "de-DE", "Asia/Kolkata")), "18:37:05");
  assert.match(format.nearby(at, Date.parse(at) + 60_000, "de-DE", "UTC"), /^13:07:05$/);
  assert.match(format.nearby(at, Date.parse(at) + 86_400_000, "de-DE", "UTC"), /2026/);
  assert.equal(format.bucket(at, "month", EN, "UTC"), "November 2026");
  assert.equal(format.clock("no time", EN, "UTC"), format.UNKNOWN);
});
