"""Operations that are compiled once for a document, and executed without graphql-core."""
