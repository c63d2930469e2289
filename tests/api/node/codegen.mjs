// What a frontend developer puts into codegen.ts; run in a folder with schema.graphql and operations/.
export default {
  schema: "schema.graphql",
  documents: "operations/*.graphql",
  importExtension: ".js",
  generates: {
    "generated/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: "string",
        enumsAsTypes: true,
        strictScalars: true,
        scalars: {
          BigInt: "number",
          Date: "string",
          DateTime: "string",
          Decimal: "string",
          EmailAddress: "string",
          JSON: "unknown",
          PhoneNumber: "string",
          URL: "string",
        },
      },
    },
  },
};
