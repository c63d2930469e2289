// The rules of graphql-eslint for a folder with schema.graphql and, in operations/, documents. Run inside of it.
import graphql from "@graphql-eslint/eslint-plugin";

const { configs, parser } = graphql;
const plugins = { "@graphql-eslint": graphql };
const languageOptions = {
  parser,
  parserOptions: { graphQLConfig: { schema: "schema.graphql", documents: "operations/*.graphql" } },
};

export default [
  {
    files: ["schema.graphql"],
    plugins,
    languageOptions,
    rules: {
      ...configs["flat/schema-recommended"].rules,
      ...configs["flat/schema-relay"].rules,
      // What has an identity implements Node, which demands an id; rows of a report and payloads have none.
      "@graphql-eslint/strict-id-in-types": "off",
      // Lists of what is few are plain lists, and a connection has `nodes` beside `edges`. Relay asks neither.
      "@graphql-eslint/relay-edge-types": [
        "error",
        { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
      ],
    },
  },
  {
    files: ["operations/*.graphql"],
    plugins,
    languageOptions,
    rules: configs["flat/operations-recommended"].rules,
  },
];
