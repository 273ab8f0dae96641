// A link of `tallymill link`: its code stands in the fragment, which no browser sends. It is exchanged for a session.
"use strict";

async function open() {
  const code = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  const reply = await fetch("/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (reply.ok) {
    location.replace("/");
    return;
  }
  const answer = await reply.json();
  say("Not signed in", answer.error.message);
}

function say(title, text) {
  document.getElementById("title").textContent = title;
  document.getElementById("text").textContent = text;
}

open().catch(() => say("Not signed in", "The console does not answer. Open the link again when it does."));
