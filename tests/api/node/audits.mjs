// Runs every audit of GraphQL over HTTP that graphql-http has against URL_TO_AUDIT and prints the results as JSON.
import { serverAudits } from "graphql-http";

const { URL_TO_AUDIT: url, TOKEN: token } = process.env;
const audits = serverAudits({
  url,
  fetchFn: (to, options = {}) =>
    fetch(to, { ...options, headers: { ...options.headers, authorization: `Bearer ${token}` } }),
});
const results = [];
for (const audit of audits) {
  const { status, reason } = await audit.fn();
  results.push({ name: audit.name, status, reason });
}
console.log(JSON.stringify(results));
