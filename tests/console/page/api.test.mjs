import assert from "node:assert/strict";
import { test } from "node:test";

import { request } from "../../../console/page/lib/api.js";

/** An answer whose body comes in parts: what `go` does with it, before it ends or breaks. */
function answering(status, go) {
  globalThis.fetch = async (_, { signal }) => {
    const body = new ReadableStream({
      start(stream) {
        signal.addEventListener("abort", () => stream.error(signal.reason));
        go(stream);
      },
    });
    return new Response(body, { status });
  };
}
const bytes = (text) => new TextEncoder().encode(text);

test("an answer is its status and its body", async () => {
  answering(200, (stream) => (stream.enqueue(bytes('{"n": ')), stream.enqueue(bytes("1}")), stream.close()));
  assert.deepEqual(await request("/v1/counts"), { status: 200, body: { n: 1 }, problem: null });
});

test("what is given up within its body is no answer", async () => {
  const given = new AbortController();
  answering(200, (stream) => (stream.enqueue(bytes('{"n": ')), setImmediate(() => given.abort())));
  await assert.rejects(request("/v1/counts", { signal: given.signal }), { name: "AbortError" });
});

test("a body that breaks off is no answer", async () => {
  answering(200, (stream) => (stream.enqueue(bytes('{"n": ')), setImmediate(() => stream.error(new TypeError("cut")))));
  assert.deepEqual(await request("/v1/counts"), { status: 0, body: null, problem: "The console did not answer." });
});

test("a body that is no JSON is a problem, whatever the status", async () => {
  for (const [status, problem] of [
    [200, "The console's answer cannot be read."],
    [502, "The console answered with status 502."],
  ]) {
    answering(status, (stream) => (stream.enqueue(bytes("<html>")), stream.close()));
    const found = await request("/v1/counts");
    assert.deepEqual([found.body, found.problem], [null, problem]);
  }
});
