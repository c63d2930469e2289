// The two npm clients against a running server: each subscribes, and says what it gets.
// node clients.mjs <address> <token> <ws|sse|wrong>
import { createClient as overSocket } from "graphql-ws";
import { createClient as overEvents } from "graphql-sse";
import WebSocket from "ws";

const [address, token, kind] = process.argv.slice(2);
const query = "subscription { clientChanged { name } }";
const say = (what) => console.log(JSON.stringify(what));
const socket = (key) =>
  overSocket({
    url: address.replace("http", "ws") + "/graphql",
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${key}` },
    retryAttempts: 0,
    lazy: true,
    on: { connected: () => say({ connected: true }) },
  });
const events = () =>
  overEvents({ url: address + "/graphql", headers: { Authorization: `Bearer ${token}` }, retryAttempts: 0 });

if (kind === "wrong") {
  await new Promise((done) => {
    socket("wrong").subscribe({ query }, { next: say, complete: done, error: (e) => (say({ code: e.code }), done()) });
  });
  process.exit(0);
}
const client = kind === "ws" ? socket(token) : events();
// A query over the same transport, to its end.
for await (const result of client.iterate({ query: "{ clients { totalCount } }" })) say(result);
say({ subscribing: true });
for await (const result of client.iterate({ query })) {
  say(result);
  break;
}
process.exit(0);
