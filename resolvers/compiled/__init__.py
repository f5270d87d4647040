"""Operations that are compiled once for a document, and answered without graphql-core."""
