/* Starts Swagger UI, and makes "Execute" count each time: a request that still has the id of an example gets an id of
   its own, and a pool of events without an id gets one, because equal pools without an id count once. The command line
   that the page shows is what was sent. An id that was typed is left as it is. */
"use strict";

const EXAMPLE_IDS = [];

function randomDigits() {
  const drawn = crypto.getRandomValues(new Uint32Array(2));
  return String((BigInt(drawn[0] >>> 1) << 32n) + BigInt(drawn[1]) + 1n);
}

function withOwnId(request) {
  if (request.method !== "POST" || typeof request.body !== "string") return request;
  for (const id of EXAMPLE_IDS) {
    request.body = request.body.replace(new RegExp(`("requestId"\\s*:\\s*)"${id}"`), (_, name) => `${name}"${randomDigits()}"`);
  }
  const hasId = /"requestid"\s*:|(^|&)requestid=/i.test(request.body);
  const names = Object.keys(request.headers ?? {}).map((name) => name.toLowerCase());
  const path = request.url.split("?")[0];
  if (/\/addevent(batch)?\/?$/i.test(path) && !hasId && !names.includes("idempotency-key")) {
    request.headers = { ...request.headers, "Idempotency-Key": `docs-${randomDigits()}` };
  }
  return request;
}

window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
  requestInterceptor: withOwnId,
});
