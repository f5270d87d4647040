import { graphql } from "relay-runtime";

graphql`
  query orderFormQuery($id: Int!) {
    order(id: $id) {
      path
      etag
      status
      customer { path name }
      lines { nodes { path etag number quantity product { path name price } } }
    }
    lineCount: orderLines(filter: { orderId: { eq: $id } }) { totalCount }
  }
`;

graphql`
  mutation orderSaveMutation($parts: [PartInput!]!) {
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
`;

graphql`
  mutation orderSaveAllMutation($id: Int!, $parts: [PartInput!]!) {
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
`;
