"use strict";
// Reads calls as JSON, makes them with Google's own client in order, and prints what came of each.

const { readFileSync } = require("node:fs");
const { google } = require("googleapis");

/** One call's answers, page by page where it has pages, or its error as the client tells it. */
async function outcome({ url, token, method, parameters }) {
  const auth = new google.auth.OAuth2();
  auth.setCredentials({ access_token: token });
  const games = google.games({ version: "v1", auth, rootUrl: `${url}/` });
  const answers = [];
  try {
    let pageToken;
    do {
      const reply = await games.events[method]({ ...parameters, pageToken }, { retry: false });
      answers.push(reply.data);
      pageToken = reply.data.nextPageToken;
    } while (pageToken && answers.length < 10);
    return { answers };
  } catch (error) {
    return { error: { status: error.status, message: error.message, body: error.response?.data } };
  }
}

async function main() {
  const outcomes = [];
  for (const call of JSON.parse(readFileSync(0, "utf8"))) outcomes.push(await outcome(call));
  console.log(JSON.stringify(outcomes));
}

main();
