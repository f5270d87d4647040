import { GraphQLClient } from "graphql-request";
import { initGraphQLTada } from "gql.tada";
import type { VariablesOf } from "gql.tada";

import type { introspection } from "./generated/tada.d.ts";

const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: {
    JSON: unknown;
    Any: unknown;
    Date: string;
    Time: string;
    DateTime: string;
    UUID: string;
    Base64: string;
    BigInt: string;
    Decimal: string;
  };
}>();

export const OrderFormDocument = graphql(`
  query OrderForm($id: Int!) {
    order(id: $id) {
      path
      etag
      status
      customer { path name }
      lines { nodes { path etag number quantity product { path name price } } }
    }
    lineCount: orderLines(filter: { orderId: { eq: $id } }) { totalCount }
  }
`);

export const SaveDocument = graphql(`
  mutation Save($parts: [PartInput!]!) {
    batch(parts: $parts) {
      status
      replayed
      parts {
        id
        path
        status
        item {
          __typename
          path
          etag
          ... on Order { status }
          ... on OrderLine { quantity }
          ... on Product { price }
        }
        errors { code message pointer attributes }
      }
    }
  }
`);

export const SaveOrderDocument = graphql(`
  mutation SaveOrder($id: Int!, $parts: [PartInput!]!) {
    batch(parts: $parts) {
      status
      parts { id path status errors { code message pointer attributes } }
      query {
        order(id: $id) {
          path
          etag
          lines { nodes { path etag number quantity product { path name price } } }
        }
        lineCount: orderLines(filter: { orderId: { eq: $id } }) { totalCount }
      }
    }
  }
`);

export type PartInput = VariablesOf<typeof SaveDocument>["parts"][number];
