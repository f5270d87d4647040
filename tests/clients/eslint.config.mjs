import graphql from "@graphql-eslint/eslint-plugin";

const { rules } = graphql.configs["flat/schema-recommended"];
const [level, names] = rules["@graphql-eslint/naming-convention"];

// Attributes, resources and labels are named by the database, whatever it calls them.
delete names.EnumValueDefinition; // labels; attributes, to group by
delete names["ObjectTypeDefinition,ObjectTypeExtension"]; // resources: a table MediaType is the type MediaType

export default [
  {
    files: ["*.graphql"],
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: process.env.SCHEMA } },
    },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...rules,
      "@graphql-eslint/naming-convention": [level, names],
      // More than is recommended: everything has a description.
      "@graphql-eslint/require-description": [
        level,
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          EnumValueDefinition: true,
        },
      ],
      // As above: Album.albumId is the column AlbumId.
      "@graphql-eslint/no-typename-prefix": "off",
      // What has an identity is a Node, and its identity is its path; keys are the database's own, of any type.
      "@graphql-eslint/strict-id-in-types": "off",
    },
  },
];
