// PostGraphile with its Amber preset, bound to one workspace by the same row-level security as everybody else.
// The tables have no foreign keys between them, so that the relations are told to it by smart tags; so are the columns
// without an index of their own by which the filtered page asks.
import { createServer } from "node:http";
import { grafserv } from "postgraphile/grafserv/node";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makeJSONPgSmartTagsPlugin } from "postgraphile/utils";
import { PostGraphileConnectionFilterPreset } from "postgraphile-plugin-connection-filter";

const { CONNINFO, WORKSPACE, PORT } = process.env;
const ofClient = (many) =>
  `(workspace_id, client_id) references client (workspace_id, id)|@fieldName client|@foreignFieldName ${many}`;
const ofCampaign = (many) =>
  `(workspace_id, campaign_id) references campaign (workspace_id, id)|@fieldName campaign|@foreignFieldName ${many}`;
const FILTERED = { behavior: ["+filterBy"] };
const tags = makeJSONPgSmartTagsPlugin({
  version: 1,
  config: {
    class: {
      path: { tags: { behavior: ["-*"] } },
      client: {
        attribute: { last_seen_at: { tags: { behavior: ["+orderBy"] } }, merged_into: { tags: FILTERED } },
      },
      call: {
        attribute: { answered: { tags: FILTERED }, talk_seconds: { tags: FILTERED }, deleted_at: { tags: FILTERED } },
        tags: { foreignKey: [ofClient("calls"), ofCampaign("calls")] },
      },
      deal: { tags: { foreignKey: [ofClient("deals"), ofCampaign("deals")] } },
    },
  },
});

const preset = {
  extends: [PostGraphileAmberPreset, PostGraphileConnectionFilterPreset],
  plugins: [tags],
  pgServices: [makePgService({ connectionString: CONNINFO, schemas: ["public"], poolConfig: { max: 8 } })],
  grafast: { context: () => ({ pgSettings: { "skvoz.workspace_id": WORKSPACE, jit: "off" } }) },
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
};
const server = createServer();
const served = postgraphile(preset).createServ(grafserv);
await served.addTo(server);
server.listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
