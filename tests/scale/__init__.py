"""Long forms of loops whose short form runs in the gate; docs/trust.md has their last results."""
