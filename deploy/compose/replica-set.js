// Makes the MongoDB of compose.yaml a replica set of one member, if it is none yet. mongosh runs it.

const SERVER = "mongodb://mongodb:27017/admin?directConnection=true&serverSelectionTimeoutMS=2000";
const TRIES = 120; // two to four minutes, until a slow machine has started mongod
const PAUSE_MILLIS = 1000;

function initiate() {
  const first = { _id: "rs0", members: [{ _id: 0, host: "mongodb:27017" }] };
  try {
    connect(SERVER).adminCommand({ replSetInitiate: first });
    return true;
  } catch (error) {
    if (error.codeName === "AlreadyInitialized") {
      return true;
    }
    print(`not yet: ${error.message}`);
    return false;
  }
}

let tries = 1;
while (!initiate()) {
  if (tries++ === TRIES) {
    print("mongodb did not answer, see its log: docker compose logs mongodb");
    quit(1);
  }
  sleep(PAUSE_MILLIS);
}
